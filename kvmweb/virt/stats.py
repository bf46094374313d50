"""What hosts and guests did between two ticks, from libvirt's raw counters.

A tick of a hundred guests must cost little more than libvirt's own call, so each guest
remembers which of its keys count (one C call fetches them), and what travels is packed
and stays so until somebody asks for its guests.
"""

import math
import struct
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

import libvirt

from kvmweb.virt.ticks import RECORD
from kvmweb.virt.types import HostSample

# The fewest groups that give the numbers: STATE comes by events and VCPU would cost a
# round trip to each QEMU's monitor for a number that the document says, too.
GROUPS = (
    libvirt.VIR_DOMAIN_STATS_CPU_TOTAL
    | libvirt.VIR_DOMAIN_STATS_BALLOON
    | libvirt.VIR_DOMAIN_STATS_INTERFACE
    | libvirt.VIR_DOMAIN_STATS_BLOCK
)
FLAGS = (
    libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE
    | libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
)

Raw = Mapping[str, Any]  # what libvirt says of one domain, by its key
_NAN = math.nan  # unknown among the rates; -1 is, among the bytes
_MAX_KIB = 2**52
_MIN_INTERVAL_S = 0.05
_MAX_DEVICES = 1024
_FORGET_S = 300.0


class GuestMeter:
    """Turns the counters of all guests into rates since the time before.

    `vcpus` says by UUID's bytes how many vCPUs a guest may use: the owner keeps it.
    """

    def __init__(self, vcpus: Mapping[bytes, int]) -> None:
        self.vcpus = vcpus
        # By libvirt's id, which is a new one each time a guest starts.
        self._tracks: dict[int, _Track] = {}

    def measure(
        self, told: Sequence[tuple[libvirt.virDomain, Raw]], began: float, ended: float
    ) -> bytes:
        """Packed samples of all that were told; times are monotonic, in seconds.

        libvirt asks one guest after the other, which takes milliseconds each, so each
        is taken to have been asked at its part of the way.
        """
        step = (ended - began) / (len(told) or 1)
        at, records, vcpus = began, [], self.vcpus
        for dom, said in told:
            at += step
            track = self._tracks.get(dom.ID())
            if track is None or track.size != len(said):
                track = self._new_track(dom, said)
            try:
                records.append(track.record(said, at, vcpus.get(track.raw)))
            except (KeyError, struct.error):  # other keys, or no sane numbers
                self._tracks.pop(dom.ID(), None)
        if len(self._tracks) > 2 * len(told) + 16:
            kept = ended - _FORGET_S
            self._tracks = {k: v for k, v in self._tracks.items() if v.at > kept}
        return b"".join(records)

    def _new_track(self, dom: libvirt.virDomain, said: Raw) -> "_Track":
        track = self._tracks[dom.ID()] = _Track(dom.UUID(), said)
        return track


class _Track:
    """Which keys of one guest count, and what they said the time before."""

    __slots__ = ("_before", "_fetch", "_places", "_spans", "at", "raw", "size")

    def __init__(self, raw: bytes, said: Raw) -> None:
        self.raw = raw
        self.size = len(said)
        keys = [key for key in _SINGLE if key in said]
        self._places = tuple(keys.index(key) if key in keys else -1 for key in _SINGLE)
        spans: list[tuple[int, int]] = []
        for family, counter in _COUNTERS:
            group = _numbered(said, family, counter)
            # No counters: the guest was busy, and NOWAIT passed it over.
            known = bool(group) or said.get(f"{family}.count") == 0
            spans.append((len(keys), len(keys) + len(group)) if known else (-1, -1))
            keys += group
        self._spans = tuple(spans)
        # One key alone would come back bare, so there are always two.
        self._fetch = itemgetter(*keys, *[next(iter(said), "")] * 2)
        self._before: tuple[Any, ...] | None = None
        self.at = 0.0

    def record(self, said: Raw, at: float, vcpus: int | None) -> bytes:
        """The packed sample since the time before. Raises KeyError for other keys."""
        now = self._fetch(said)
        before, gap = self._before, at - self.at
        self._before, self.at = now, at
        cpu_at, current, resident = self._places[:3]
        used = now[current] if current >= 0 else -1
        if self._places[3] >= 0:
            used = self._used(now, used)
        used = used * 1024 if used <= _MAX_KIB else -1
        rss = now[resident] * 1024 if resident >= 0 else -1
        if before is None or gap < _MIN_INTERVAL_S:
            return RECORD.pack(self.raw, _NAN, used, rss, _NAN, _NAN, _NAN, _NAN)
        cpu = _NAN
        if cpu_at >= 0 and vcpus and now[cpu_at] >= before[cpu_at]:
            cpu = min(100.0, (now[cpu_at] - before[cpu_at]) / gap / vcpus / 1e7)
        rates = []
        for start, end in self._spans:
            if end - start == 1:
                grown = now[start] - before[start]
            else:
                grown = sum(now[start:end]) - sum(before[start:end])
            rates.append(grown / gap if grown >= 0 and start >= 0 else _NAN)
        return RECORD.pack(self.raw, cpu, used, rss, *rates)

    def _used(self, now: tuple[Any, ...], current: int) -> int:
        """KiB in use as the guest's balloon driver says, else what it was given."""
        available_at, usable_at, unused_at = self._places[3:]
        free_at = usable_at if usable_at >= 0 else unused_at
        available, free = now[available_at], now[free_at] if free_at >= 0 else -1
        return int(available - free) if 0 <= free <= available else current


_SINGLE = (
    "cpu.time",
    "balloon.current",
    "balloon.rss",
    "balloon.available",
    "balloon.usable",
    "balloon.unused",
)
_COUNTERS = (
    ("block", "rd.bytes"),
    ("block", "wr.bytes"),
    ("net", "rx.bytes"),
    ("net", "tx.bytes"),
)


def _numbered(said: Raw, family: str, counter: str) -> list[str]:
    """The keys of one counter for all devices; an empty drive has none."""
    count = min(int(said.get(f"{family}.count", 0)), _MAX_DEVICES)
    keys = (f"{family}.{index}.{counter}" for index in range(count))
    return [key for key in keys if key in said]


class HostMeter:
    """Turns a host's counters into what it did since the time before."""

    def __init__(self) -> None:
        self._before: dict[str, int] = {}

    def measure(
        self, cpu: Mapping[str, int], memory: tuple[int | None, int | None]
    ) -> HostSample:
        """A sample of getCPUStats' counters and (total, free) bytes; either may be empty."""
        total, free = memory
        return HostSample(
            cpu_percent=self._busy(cpu),
            memory_bytes=None if total is None or free is None else total - free,
            memory_free_bytes=free,
        )

    def _busy(self, cpu: Mapping[str, int]) -> float | None:
        before, self._before = self._before, dict(cpu)
        if not before or before.keys() != cpu.keys():
            return None
        grown = {name: counter - before[name] for name, counter in cpu.items()}
        idle = grown.get("idle", 0) + grown.get("iowait", 0)
        everything = sum(grown.values())
        if everything <= 0 or idle < 0:
            return None
        return max(0.0, min(100.0, 100.0 * (1 - idle / everything)))
