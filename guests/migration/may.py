"""May a guest move from one host to another, and if not, what would mend it. Pure."""

from collections.abc import Iterator

from guests.migration import storing
from guests.migration.sides import (
    Between,
    DiskAt,
    Needs,
    NicAt,
    PoolAt,
    Reason,
    Side,
    Verdict,
)

__all__ = [
    "Between",
    "DiskAt",
    "Needs",
    "NicAt",
    "PoolAt",
    "Reason",
    "Side",
    "Verdict",
    "may",
]

GIB = 1024**3
_NOTHING = Between()
_ON = {"running", "paused"}
_OFF = {"shutoff", "crashed"}
_ANYWHERE = {"", "0.0.0.0", "::", "127.0.0.1", "::1", "localhost"}  # noqa: S104  compared only
_FIRMWARE = {"bios": "BIOS", "uefi": "UEFI", "uefi-secure": "UEFI with secure boot"}


def may(
    guest: Needs, source: Side, target: Side, between: Between = _NOTHING
) -> Verdict:
    """Whether it may go there, every reason why not, and what becomes of its disks."""
    if source.id == target.id:
        here = Reason(
            "already_there", f"{guest.name} is there.", "Choose another host."
        )
        return Verdict(ok=False, storage=storing.NONE, reasons=(here,))
    storage = storing.storage_of(guest, target, between)
    reasons = (
        *_of_guest(guest, source),
        *_of_target(guest, target),
        *_of_machine(guest, source, target),
        *_of_networks(guest, target),
        *_of_devices(guest),
        *storage.reasons,
        *between.found,
    )
    return Verdict(
        ok=not reasons,
        storage=storage.kind,
        reasons=reasons,
        notes=(
            *_notes(guest, source, target, between),
            *storage.notes,
            *between.notes,
        ),
        copied=storage.copied,
        shared=storage.shared,
        bytes_to_copy=storage.bytes_to_copy,
        asked_at=between.asked_at,
    )


def _of_guest(guest: Needs, source: Side) -> Iterator[Reason]:
    """What it is about the guest, wherever it should go."""
    name = guest.name
    if not source.up:
        yield Reason(
            "source_down",
            f"{source.name}, where {name} is, does not answer.",
            "Wait until it answers again.",
        )
    if guest.elsewhere:
        yield Reason(
            "conflict",
            f"{name} is also on {' and '.join(guest.elsewhere)}.",
            "Undefine it on all hosts but one.",
        )
    if guest.busy:
        yield Reason(
            "busy", f"{name} is busy: “{guest.busy}” is under way.", "Wait for its end."
        )
    yield from _of_state(guest, source)


def _of_state(guest: Needs, source: Side) -> Iterator[Reason]:
    name, wanted = guest.name, _ON if guest.live else _OFF
    if guest.state not in wanted:
        fix = (
            "Start it, or move it offline."
            if guest.live
            else "Shut it down, or move it live."
        )
        if guest.state not in _ON | _OFF:
            fix = "Wait until it runs or is off."
        yield Reason("state", f"{name} is {guest.state}.", fix)
    if not guest.live and not guest.persistent:
        yield Reason(
            "transient",
            f"{name} is transient: there is no definition to move.",
            "Move it while it runs.",
        )
    if not guest.live and (guest.tpm or guest.firmware.startswith("uefi")):
        what = "TPM" if guest.tpm else "UEFI settings"
        yield Reason(
            "settings",
            f"{name} keeps its {what} in files of {source.name}, which only a running "
            "guest takes along.",
            "Start it, and move it live.",
        )
    if guest.saved:
        yield Reason(
            "saved_state",
            f"The memory of {name} lies in a file of its host, which stays there.",
            "Start it, and move it live.",
        )


def _of_target(guest: Needs, target: Side) -> Iterator[Reason]:
    """What it is about the other host as such."""
    if not target.up:
        yield Reason(
            "host_down", f"{target.name} does not answer.", "Wait until it answers."
        )
    if target.maintenance:
        yield Reason(
            "maintenance",
            f"{target.name} is in maintenance.",
            "End its maintenance.",
            "see-host",
        )
    if target.taken:
        yield Reason(
            "name_taken",
            f"{target.name} has another guest named {guest.name}.",
            "Rename one of the two.",
        )
    if not target.address:
        yield Reason(
            "no_address",
            f"It is not known where {target.name} takes in guests from other hosts.",
            "Set its migration address.",
            "edit-host",
        )
    left = target.memory_left_bytes
    if guest.live and left is not None and guest.memory_bytes > left:
        yield Reason(
            "memory",
            f"{target.name} has {_gib(max(0, left))} of memory left, "
            f"{_gib(guest.memory_bytes)} are needed.",
            "Move another guest away from it, or make this one smaller.",
        )


def _of_machine(guest: Needs, source: Side, target: Side) -> Iterator[Reason]:
    """What the virtual machine is made of, and the other host has not."""
    name, other = "no_arch", f"Choose a host of {guest.arch}."
    if guest.arch and target.arch and guest.arch != target.arch:
        yield Reason(name, f"{target.name} is a machine of {target.arch}.", other)
        return
    if (
        guest.virt_type
        and target.virt_types
        and guest.virt_type not in target.virt_types
    ):
        yield Reason(
            "virt_type",
            f"{target.name} cannot run guests of type {guest.virt_type}.",
            "Choose a host that can.",
        )
    if _lost(guest.machine, source.machines, target.machines):
        yield Reason(
            "machine",
            f"{target.name} has no machine type {guest.machine}.",
            f"Update QEMU on {target.name}, or give the guest an older machine type.",
        )
    if _lost(guest.firmware, source.firmware, target.firmware):
        firmware = _FIRMWARE.get(guest.firmware, guest.firmware)
        yield Reason(
            "firmware",
            f"{target.name} has no firmware for {firmware}.",
            f"Install it on {target.name}.",
        )
    yield from _of_cpu(guest, source, target)
    yield from _of_abilities(guest, target)


def _of_cpu(guest: Needs, source: Side, target: Side) -> Iterator[Reason]:
    if guest.live and _series(target.emulator) < _series(source.emulator):
        yield Reason(
            "older_qemu",
            f"QEMU on {target.name} is {_version(target.emulator)}, older than "
            f"{_version(source.emulator)} on {source.name}.",
            f"Update QEMU on {target.name}.",
        )
    through = guest.live and guest.cpu_mode == "host-passthrough"
    if through and source.cpu and target.cpu and source.cpu != target.cpu:
        yield Reason(
            "cpu",
            f"{guest.name} has the CPU of its host itself ({source.cpu}); "
            f"{target.name} has {target.cpu}.",
            "Give it a CPU model that both hosts have.",
        )
    if _lost(guest.cpu_model, source.cpu_models, target.cpu_models):
        yield Reason(
            "cpu",
            f"{target.name} does not have the CPU model {guest.cpu_model}.",
            "Give the guest a CPU model that both hosts have.",
        )


def _of_abilities(guest: Needs, target: Side) -> Iterator[Reason]:
    if target.vcpus_max and guest.vcpus > target.vcpus_max:
        yield Reason(
            "vcpus",
            f"{target.name} gives a guest at most {target.vcpus_max} vCPUs.",
            f"Give {guest.name} fewer vCPUs.",
        )
    if guest.tpm and target.tpm is False:
        yield Reason(
            "tpm",
            f"{target.name} cannot emulate a TPM.",
            f"Install swtpm on {target.name}.",
        )
    if guest.hugepages and target.hugepages is False:
        yield Reason(
            "hugepages",
            f"{target.name} has no huge pages set aside.",
            f"Set some aside on {target.name}.",
        )


def _of_networks(guest: Needs, target: Side) -> Iterator[Reason]:
    for nic in dict.fromkeys(guest.nics):
        if nic.kind == "network" and nic.source not in target.networks:
            yield Reason(
                "network",
                f"{target.name} has no network {nic.source}.",
                f"Make a network of this name on {target.name}.",
            )
        elif nic.kind == "network" and not target.networks[nic.source]:
            yield Reason(
                "network_inactive",
                f"The network {nic.source} of {target.name} is not started.",
                "Start it.",
                "start-network",
                nic.source,
            )
        elif nic.kind in {"bridge", "direct"} and _absent(
            nic.source, target.interfaces
        ):
            yield Reason(
                "bridge",
                f"{target.name} has no interface {nic.source}.",
                f"Make one of this name on {target.name}.",
            )


def _of_devices(guest: Needs) -> Iterator[Reason]:
    """What of its host it holds in its hands while it runs."""
    if not guest.live:
        return
    for device in guest.devices:
        yield Reason(
            "host_device",
            f"{guest.name} has a device of its host: {device}.",
            "Take it away first, or move the guest offline.",
        )
    for share in guest.shares:
        yield Reason(
            "host_directory",
            f"{guest.name} sees the directory {share} of its host.",
            "Take it away first, or move the guest offline.",
        )
    for address in sorted(set(guest.listens) - _ANYWHERE):
        yield Reason(
            "listen_address",
            f"Its screen listens on {address}, which only its own host has.",
            "Let the screen listen on 0.0.0.0 or 127.0.0.1; it counts at the next start.",
        )


def _notes(
    guest: Needs, source: Side, target: Side, between: Between
) -> Iterator[Reason]:
    left = target.memory_left_bytes
    if not guest.live and left is not None and guest.memory_bytes > left:
        yield Reason(
            "memory",
            f"{target.name} has only {_gib(max(0, left))} of memory left.",
            "It may not start there.",
        )
    if not guest.live and (guest.devices or guest.shares):
        yield Reason(
            "host_device",
            f"{guest.name} is given what only its host has: "
            f"{', '.join((*guest.devices, *guest.shares))}.",
            f"See that {target.name} has the same before it starts there.",
        )
    if guest.secrets and not between.asked_at:
        yield Reason(
            "secrets",
            "Its disks are opened with secrets of its host.",
            f"Define the same ones on {target.name}; a check asks it.",
            "check",
        )
    if _series(target.libvirt) < _series(source.libvirt):
        yield Reason(
            "older_libvirt",
            f"libvirt on {target.name} is {_version(target.libvirt)}, older than on "
            f"{source.name}.",
            f"Should the move be refused, update libvirt on {target.name}.",
        )


def _lost(what: str, here: frozenset[str], there: frozenset[str]) -> bool:
    """Whether one host says it has this and the other that it has not."""
    return bool(what) and what in here and bool(there) and what not in there


def _absent(what: str, known: frozenset[str]) -> bool:
    return bool(known) and what not in known


def _series(version: tuple[int, ...]) -> tuple[int, ...]:
    """Stable versions of one series take each other's guests; unknown is the newest."""
    return version[:2] or (1_000_000,)


def _version(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)


def _gib(count: int) -> str:
    return f"{count / GIB:.1f} GiB".replace(".0 ", " ")
