"""How a snapshot is made of a guest as it is, and what speaks against it. Pure.

Inside its disks (internal) where libvirt can: all of them qcow2, BIOS. Else in files laid
on top of them (external): raw disks, UEFI, and disks alone while the guest runs.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from kvmweb.errors import Conflict
from kvmweb.virt.types import DomainState

_ON = {DomainState.RUNNING, DomainState.PAUSED}
_DISKS = {"disk", "lun"}
_OWN_WAYS = {"vhostuser", "nvme", "dir"}  # QEMU lays nothing on top of these


@dataclass(frozen=True, slots=True)
class Layer:
    """A disk, as far as snapshots care."""

    target: str
    device: str
    kind: str
    format: str
    writable: bool  # neither read-only nor shared with other guests


@dataclass(frozen=True, slots=True)
class Subject:
    """A guest of which a snapshot is to be made."""

    name: str
    state: str
    persistent: bool
    virt_type: str
    firmware: str
    disks: Sequence[Layer]
    kinds: Collection[str]  # of the snapshots that it has


@dataclass(frozen=True, slots=True)
class Means:
    """How it is made."""

    external: bool
    memory: bool
    targets: tuple[str, ...]  # the disks that are part of it
    left_out: tuple[str, ...]


def choose(subject: Subject, *, memory: bool) -> Means:
    """How a snapshot of it is made. Raises Conflict with what would make it possible."""
    _need_fitting(subject, memory=memory)
    disks = [disk for disk in subject.disks if _takes_part(disk)]
    left_out = [disk.target for disk in subject.disks if not _takes_part(disk)]
    if not disks and not memory and subject.virt_type != "test":
        raise Conflict(f"{subject.name} has no disk that a snapshot could keep.")
    return Means(
        external=_is_external(subject, disks, memory=memory),
        memory=memory,
        targets=tuple(disk.target for disk in disks),
        left_out=tuple(left_out),
    )


def _need_fitting(subject: Subject, *, memory: bool) -> None:
    name, on = subject.name, subject.state in _ON
    if not subject.persistent:
        raise Conflict(
            f"{name} is transient: its host forgets it, and its snapshots, when it is "
            "off.",
            hint="Define it on its host first.",
        )
    if memory and not on:
        raise Conflict(
            f"{name} does not run, so there is no memory to keep.",
            hint="Make the snapshot without memory.",
        )
    if not on and subject.state not in {DomainState.SHUTOFF, DomainState.CRASHED}:
        raise Conflict(f"{name} is {subject.state}; wait until it runs or is off.")
    odd = [disk.target for disk in subject.disks if disk.kind in _OWN_WAYS]
    if odd:
        raise Conflict(
            f"{name} has disks of which no snapshot can be made: {', '.join(odd)}."
        )


def _takes_part(disk: Layer) -> bool:
    return disk.device in _DISKS and disk.writable


def _is_external(subject: Subject, disks: list[Layer], *, memory: bool) -> bool:
    if subject.virt_type == "test":
        return False  # libvirt's own driver for tests knows no others
    if {"external", "mixed"} & set(subject.kinds):
        return True  # what lies inside a disk would be lost when files are merged
    inside = bool(disks) and subject.firmware == "bios"
    inside = inside and all(disk.format == "qcow2" for disk in disks)
    alone = subject.state in _ON and not memory
    if "internal" not in subject.kinds:
        return alone or not inside
    if inside and not alone:
        return False
    raise Conflict(
        f"{subject.name} has snapshots inside its disks, and this one would need files "
        "on top of them: libvirt cannot manage both.",
        hint="Make it with memory or while the guest is off, or delete the others first."
        if inside
        else "Delete the others first.",
    )
