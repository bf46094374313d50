"""How long it takes to plan where many guests of many hosts go."""

import statistics
import sys
import time
from pathlib import Path
from random import Random

from bench.figures import Figure, spread
from guests.creation.places import APART, GIB, DiskNeed, Need, Room, RoomPool, TagRule
from guests.draining.planning import Offer, Plan, Traveller, plan

HOSTS, GUESTS, RUNS = 200, 5_000, 10
_LIMIT_S = 2.0
_SIZES = [(1, 1), (1, 2), (2, 4), (4, 8), (4, 16), (8, 32)]  # vCPUs and GiB
_RULED = 50  # one in so many has a tag whose guests stay apart


def measure(_place: Path) -> list[Figure]:
    """The plan for all of them, each counting those before it."""
    rooms = [_room(number) for number in range(1, HOSTS + 1)]
    travellers = _travellers()
    taken, found = [], Plan((), ())
    for _ in range(RUNS):
        begun = time.perf_counter()
        found = plan(travellers, rooms, leaving=frozenset())
        taken.append(time.perf_counter() - begun)
    placed = len(found.moves)
    print(f"{placed} of {GUESTS} have a place.", file=sys.stderr)
    return [
        Figure(
            f"placement plan for {GUESTS} guests on {HOSTS} hosts",
            statistics.median(taken),
            "s",
            _LIMIT_S,
            behind=spread("plan_s", taken) | {"placed": placed},
        )
    ]


def _room(number: int) -> Room:
    pool = RoomPool(
        number,
        "default",
        "dir",
        active=True,
        capacity_bytes=4096 * GIB,
        free_bytes=3000 * GIB,
    )
    return Room(
        id=number,
        name=f"kvm{number:03}",
        cpus=64,
        memory_bytes=512 * GIB,
        memory_promised_bytes=number % 7 * 8 * GIB,
        reserved_bytes=8 * GIB,
        cpu_overcommit=8.0,
        pools=(pool,),
    )


def _travellers() -> list[Traveller]:
    random = Random(4)  # noqa: S311  the same guests in each run
    offers = {
        storage: tuple(
            Offer(number, storage, 2.0, 90, GIB) for number in range(1, HOSTS + 1)
        )
        for storage in ("shared", "copy")
    }
    found = []
    for number in range(GUESTS):
        vcpus, gib = random.choice(_SIZES)
        storage = random.choice(("shared", "shared", "copy"))
        rules = (
            (TagRule(f"group-{number % 10}", APART),) if number % _RULED == 0 else ()
        )
        need = Need(
            f"guest-{number:04}",
            vcpus=vcpus,
            memory_bytes=gib * GIB,
            disks=(DiskNeed(20 * GIB, "default"),),
            keep=rules,
        )
        found.append(Traveller(f"uuid-{number:04}", need, offers[storage]))
    return found
