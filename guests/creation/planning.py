"""From a wish to plans: what it means, where each fits, and what will be made there."""

from collections.abc import Iterator
from dataclasses import replace

from guests.creation import osinfo, placement
from guests.creation.drafting import Draft, Planned, size_of
from guests.creation.meaning import Meaning, meaning_of
from guests.creation.placement import DiskNeed, Need
from guests.creation.rooms import rooms, rules_of
from guests.creation.wanted import Wanted
from hosts.models import Host
from kvmweb.accounts.models import User


def plans(wanted: Wanted, user: User | None, *, seeded: bool = False) -> list[Planned]:
    """One for each guest that is wanted, all of them placed.

    With `seeded` each gets a CD that tells it who it is.

    Raises Invalid for what cannot be, Conflict (placement.Refused) for what fits nowhere.
    """
    wanted = replace(wanted, os=osinfo.full_id(wanted.os))
    wanted.check()
    meaning = meaning_of(wanted, user)
    image = next(filter(None, meaning.images), None)
    wanted = replace(wanted, os=wanted.os or (image.os if image else ""))
    likes = osinfo.defaults(wanted.os)
    names = wanted.names()
    every = rooms(names, image.pk if image else None)
    need = _need(wanted, meaning, likes)
    choices = placement.choose_all([replace(need, name=it) for it in names], every)
    hosts = Host.objects.in_bulk({choice.room.id for choice in choices})
    owner = User.objects.filter(username=wanted.owner).first()
    drafts = {
        host.pk: Draft(wanted, meaning, likes, host, owner) for host in hosts.values()
    }
    return [
        drafts[choice.room.id].planned(name, choice, need, seeded=seeded)
        for name, choice in zip(names, choices, strict=True)
    ]


def _need(wanted: Wanted, meaning: Meaning, likes: osinfo.Defaults) -> Need:
    tpm = likes.tpm if wanted.tpm is None else wanted.tpm
    model = wanted.cpu.model if wanted.cpu.mode == "named" else ""
    return Need(
        name=wanted.name,
        vcpus=wanted.vcpus,
        memory_bytes=wanted.memory_bytes,
        disks=tuple(_disk_needs(wanted, meaning)),
        networks=frozenset(name for name in meaning.networks if name),
        hosts=None if meaning.only is None else frozenset(meaning.only),
        because=meaning.because,
        by_hand=meaning.host is not None,
        firmware=wanted.firmware or likes.firmware,
        tpm=tpm,
        machine=wanted.machine,
        cpu_model=model,
        virtiofs=bool(wanted.shares),
        hugepages=wanted.hugepages,
        image=next((str(it.pk) for it in meaning.images if it), ""),
        keep=rules_of(wanted.tags),
    )


def _disk_needs(wanted: Wanted, meaning: Meaning) -> Iterator[DiskNeed]:
    for disk, pool, image in zip(
        wanted.disks, meaning.pools, meaning.images, strict=True
    ):
        if not disk.volume:
            thin = disk.format != "raw" and not disk.copy
            yield DiskNeed(size_of(disk, image), pool, thin=thin)
