"""What will happen, as the page shows it."""

from collections import Counter
from dataclasses import dataclass

from guests.creation import osinfo
from guests.creation.amounts import words_of
from guests.creation.blueprint import Blueprint
from guests.creation.plan import NewVolume
from guests.creation.services import Preview

_FIRMWARE = {"bios": "BIOS", "uefi": "UEFI", "uefi-secure": "UEFI with secure boot"}
_SHOWN = 6  # of many volumes


@dataclass(frozen=True, slots=True)
class Shown:
    """The panel beside the form."""

    title: str  # "web", "web-01 … web-50"
    places: list[tuple[str, int]]  # hosts and how many go there
    why: tuple[str, ...]
    others: dict[str, tuple[str, ...]]
    machine: list[str]
    volumes: list[NewVolume]
    more_volumes: int
    warnings: tuple[str, ...]
    xml: str
    likes: dict[str, str]  # what a field that is left empty means, by its name


def shown(preview: Preview) -> Shown:
    """The same for people; reasons are those of the first guest."""
    first = preview.planned[0]
    blueprint = first.plan.blueprint
    names = [each.plan.blueprint.name for each in preview.planned]
    title = names[0] if len(names) == 1 else f"{names[0]} … {names[-1]}"
    places = Counter(each.plan.host_name for each in preview.planned)
    volumes = preview.volumes
    return Shown(
        title=title,
        places=sorted(places.items()),
        why=first.choice.why,
        others=first.choice.others,
        machine=_machine(blueprint),
        volumes=volumes[:_SHOWN],
        more_volumes=max(0, len(volumes) - _SHOWN),
        warnings=preview.warnings,
        xml=preview.xml,
        likes=likes_of(blueprint.os),
    )


def likes_of(os_id: str) -> dict[str, str]:
    """What fields that are left empty mean for this system, as one would type it."""
    likes = osinfo.defaults(os_id)
    return {
        "vcpus": str(likes.vcpus),
        "memory": words_of(likes.memory_bytes),
        "disk": words_of(likes.disk_bytes),
    }


def _machine(blueprint: Blueprint) -> list[str]:
    """The guest in a few words."""
    said = [
        osinfo.name_of(blueprint.os) if blueprint.os else "",
        f"{blueprint.vcpus} vCPU{'' if blueprint.vcpus == 1 else 's'}",
        f"{words_of(blueprint.memory_bytes)} of memory",
        _FIRMWARE[blueprint.firmware],
        "TPM 2.0" if blueprint.tpm else "",
        blueprint.cpu.model or blueprint.cpu.mode,
        *(_card(nic.network or nic.bridge, nic.model) for nic in blueprint.nics),
    ]
    return [each for each in said if each]


def _card(network: str, model: str) -> str:
    return f"{model} card on {network}"
