"""From rows and samples to what a proposal is made of. A fixed number of queries."""

from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from django.utils import timezone

from guests.balance.balancing import HIGH_MEMORY, HostLoad, Sufferer
from guests.balance.models import Strain
from guests.creation.places import Room
from guests.creation.rooms import RUNNING, rooms
from guests.draining import gathering
from guests.models import Guest
from kvmweb import samples

FRESH = timedelta(minutes=3)
_MOST_ASKED = 100  # guests; more than that are never moved at once


def seen(tag: str = "") -> tuple[list[Sufferer], list[Room], dict[int, HostLoad]]:
    """Who could move (with the tag, if one is said), the hosts, and how they fare."""
    every = rooms(())
    guests = list(
        Guest.objects.filter(state__in=RUNNING, host__isnull=False)
        .select_related("host")
        .defer("nics", "graphics", "uses")
    )
    used, waiting = _measured(guests)
    loads = _loads(every, guests, used, waiting)
    strained = {load.host for load in loads.values() if load.waiting_cpus > 0}
    strained |= {room.id for room in every if _is_full(room)}
    asked = [
        it for it in guests if it.host_id in strained and (not tag or tag in it.tags)
    ]
    asked.sort(
        key=lambda it: (-waiting.get(it.pk, 0.0), -used.get(it.pk, 0.0), it.name)
    )
    found = _sufferers(asked[:_MOST_ASKED], every, used, waiting)
    return found, every, loads


def _sufferers(
    guests: list[Guest],
    every: list[Room],
    used: dict[UUID, float],
    waiting: dict[UUID, float],
) -> list[Sufferer]:
    travellers = gathering.travellers(guests, every)
    return [
        Sufferer(
            traveller=traveller,
            host=guest.host_id or 0,
            used_cpus=used.get(guest.pk, 0.0),
            waiting_cpus=waiting.get(guest.pk, 0.0),
        )
        for guest, traveller in zip(guests, travellers, strict=True)
    ]


def _measured(guests: list[Guest]) -> tuple[dict[UUID, float], dict[UUID, float]]:
    """The CPUs each uses now, and those it waits for."""
    now = samples.latest([guest.pk for guest in guests])
    used = {
        guest.pk: (now[guest.pk].cpu_percent or 0.0) * guest.vcpus / 100
        for guest in guests
        if guest.pk in now
    }
    fresh = Strain.objects.filter(at__gte=timezone.now() - FRESH)
    delays = dict(fresh.values_list("guest", "delay_percent"))
    waiting = {
        guest.pk: delays[guest.pk] * guest.vcpus / 100
        for guest in guests
        if guest.pk in delays
    }
    return used, waiting


def _loads(
    every: list[Room],
    guests: list[Guest],
    used: dict[UUID, float],
    waiting: dict[UUID, float],
) -> dict[int, HostLoad]:
    sums: dict[int, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for guest in guests:
        both = sums[guest.host_id or 0]
        both[0] += used.get(guest.pk, 0.0)
        both[1] += waiting.get(guest.pk, 0.0)
    return {
        room.id: replace(
            HostLoad(room.id, room.name),
            used_cpus=sums[room.id][0],
            waiting_cpus=sums[room.id][1],
        )
        for room in every
    }


def _is_full(room: Room) -> bool:
    whole = (room.memory_bytes - room.reserved_bytes) * room.memory_overcommit
    return whole > 0 and room.memory_promised_bytes > HIGH_MEMORY * whole
