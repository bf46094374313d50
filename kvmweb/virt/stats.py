"""What hosts and guests did between two ticks, from libvirt's raw counters.

A tick of a hundred guests must cost little more than libvirt's own call, so each guest
remembers which of its keys count (one C call fetches them), and what travels is packed
and stays so until somebody asks for its guests.
"""

import math
import struct
from collections.abc import Callable, Mapping, Sequence
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
    """Where one guest's seven numbers are found, and what they were the time before."""

    __slots__ = ("_before", "_read", "at", "raw", "size")

    def __init__(self, raw: bytes, said: Raw) -> None:
        self.raw = raw
        self.size = len(said)
        self._read = _reader(said)
        self._before: Sequence[float] | None = None
        self.at = 0.0

    def record(self, said: Raw, at: float, vcpus: int | None) -> bytes:
        """The packed sample since the time before. Raises KeyError for other keys."""
        now = self._read(said)
        before, gap = self._before, at - self.at
        self._before, self.at = now, at
        cpu, read, written, received, sent, used, resident = now
        used = used * 1024 if used <= _MAX_KIB else -1
        if before is None or gap < _MIN_INTERVAL_S:
            return RECORD.pack(self.raw, _NAN, used, resident * 1024, *_UNKNOWN)
        cpu -= before[0]
        read -= before[1]
        written -= before[2]
        received -= before[3]
        sent -= before[4]
        if cpu < 0 or read < 0 or written < 0 or received < 0 or sent < 0:
            # A counter began anew; with NaN nothing is smaller than 0.
            grown = (cpu, read, written, received, sent)
            cpu, read, written, received, sent = (
                each if each >= 0 else _NAN for each in grown
            )
        percent = cpu / gap / vcpus / 1e7 if vcpus else _NAN
        return RECORD.pack(
            self.raw,
            100.0 if percent > 100.0 else percent,  # min() would lose NaN
            used,
            resident * 1024,
            read / gap,
            written / gap,
            received / gap,
            sent / gap,
        )


_UNKNOWN = (_NAN,) * 4
_COUNTERS = (
    ("block", "rd.bytes"),
    ("block", "wr.bytes"),
    ("net", "rx.bytes"),
    ("net", "tx.bytes"),
)
_PLAIN = (
    "cpu.time",
    "block.0.rd.bytes",
    "block.0.wr.bytes",
    "net.0.rx.bytes",
    "net.0.tx.bytes",
    "balloon.current",
    "balloon.rss",
)

Read = Callable[[Raw], Sequence[float]]


def _reader(said: Raw) -> Read:
    """What fetches a guest's CPU time, four counters, and KiB in use and resident."""
    counts = said.get("block.count"), said.get("net.count")
    if (
        counts == (1, 1)
        and "balloon.available" not in said
        and said.keys() >= {*_PLAIN}
    ):
        return itemgetter(*_PLAIN)  # one call into C, for the most usual guest
    groups = [_numbered(said, *each) for each in _COUNTERS]

    def read(said: Raw) -> Sequence[float]:
        return (
            said.get("cpu.time", _NAN),
            *(
                _NAN if keys is None else sum([said[key] for key in keys])
                for keys in groups
            ),
            _used(said),
            said.get("balloon.rss", -1),
        )

    return read


def _numbered(said: Raw, family: str, counter: str) -> list[str] | None:
    """The keys of one counter for all devices; None for a guest that was passed over.

    An empty drive has none; a guest that NOWAIT passed over has none at all.
    """
    count = min(int(said.get(f"{family}.count", -1)), _MAX_DEVICES)
    keys = [f"{family}.{index}.{counter}" for index in range(count)]
    return [key for key in keys if key in said] or (None if count else [])


def _used(said: Raw) -> int:
    """KiB in use as the guest's balloon driver says, else what it was given, or -1."""
    available = said.get("balloon.available")
    if available is not None:
        free: int = said.get("balloon.usable", said.get("balloon.unused", -1))
        if 0 <= free <= available:
            return int(available - free)
    return int(said.get("balloon.current", -1))


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
