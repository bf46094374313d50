"""How much guests wait for CPUs, from libvirt's counters of their vCPUs.

Asked rarely and beside the ticks: this group may cost a round trip to each QEMU.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import libvirt

from kvmweb.virt.reading import asked
from kvmweb.virt.stats import FLAGS
from kvmweb.virt.types import GuestStrain

EVERY_S = 30.0
_MOST_VCPUS = 4096


@dataclass(frozen=True, slots=True)
class _Counted:
    """Sums over the vCPUs of one guest, in nanoseconds."""

    at: float
    id: int  # a new one each time it starts
    vcpus: int
    delay_ns: int
    wait_ns: int


class StrainMeter:
    """Turns the counters of all guests into shares of the time since the time before."""

    def __init__(self, conn: Callable[[], libvirt.virConnect]) -> None:
        self._conn = conn
        self._before: dict[UUID, _Counted] = {}

    def look(self) -> tuple[GuestStrain, ...]:
        """Of each guest that was counted before, too. Raises HostError."""
        told: list[Any] = asked(
            [],
            self._conn().getAllDomainStats,
            libvirt.VIR_DOMAIN_STATS_VCPU,
            FLAGS,
        )
        now = time.monotonic()
        counted = {
            UUID(bytes=dom.UUID()): each
            for dom, said in told
            if (each := _counted(said, now, dom.ID())) is not None
        }
        before, self._before = self._before, counted
        found = (_strain(uuid, before.get(uuid), now) for uuid, now in counted.items())
        return tuple(each for each in found if each is not None)


def _counted(said: Mapping[str, Any], at: float, domain_id: int) -> _Counted | None:
    """None where libvirt did not say: the guest was passed over, or the host is silent."""
    numbers = range(min(int(said.get("vcpu.maximum", 0)), _MOST_VCPUS))
    present = [n for n in numbers if f"vcpu.{n}.delay" in said]
    if not present:
        return None
    return _Counted(
        at=at,
        id=domain_id,
        vcpus=len(present),
        delay_ns=sum(int(said[f"vcpu.{n}.delay"]) for n in present),
        wait_ns=sum(int(said.get(f"vcpu.{n}.wait", 0)) for n in present),
    )


def _strain(uuid: UUID, before: _Counted | None, now: _Counted) -> GuestStrain | None:
    """None for one that is new, was started again, or got other vCPUs."""
    if before is None or (before.id, before.vcpus) != (now.id, now.vcpus):
        return None
    whole_ns = (now.at - before.at) * 1e9 * now.vcpus
    delay, wait = now.delay_ns - before.delay_ns, now.wait_ns - before.wait_ns
    if whole_ns <= 0 or delay < 0 or wait < 0:
        return None
    return GuestStrain(
        uuid=uuid,
        delay_percent=min(100.0, 100 * delay / whole_ns),
        wait_percent=min(100.0, 100 * wait / whole_ns),
    )
