"""What is proposed: fewer wait, no host is too full, and it always ends."""

from collections import defaultdict
from dataclasses import replace
from operator import attrgetter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guests.balance.balancing import MOST_MOVES, HostLoad, Proposal, Sufferer, propose
from guests.creation.places import APART, GIB, Need, Room, TagRule
from guests.draining.planning import Offer, Traveller


def room(number: int, *, cpus: int = 4, memory: int = 64, promised: int = 0) -> Room:
    return Room(
        id=number,
        name=f"kvm{number}",
        cpus=cpus,
        memory_bytes=memory * GIB,
        memory_promised_bytes=promised * GIB,
    )


def guest(
    name: str, host: int = 1, used: float = 0.5, waiting: float = 0.5, memory: int = 4
) -> Sufferer:
    offers = tuple(Offer(number, "shared", 1.0) for number in (1, 2, 3))
    need = Need(name, vcpus=1, memory_bytes=memory * GIB)
    return Sufferer(Traveller(name, need, offers), host, used, waiting)


def proposed(guests: list[Sufferer], rooms: list[Room]) -> Proposal:
    loads = {it.id: HostLoad(it.id, it.name) for it in rooms}
    for each in guests:
        load = loads[each.host]
        loads[each.host] = replace(
            load,
            used_cpus=load.used_cpus + each.used_cpus,
            waiting_cpus=load.waiting_cpus + each.waiting_cpus,
        )
    return propose(guests, rooms, loads)


def test_guests_leave_a_host_where_they_wait() -> None:
    found = proposed([guest(f"web-{n}") for n in range(8)], [room(1), room(2)])
    assert found.changes
    assert {it.move.host_name for it in found.changes} == {"kvm2"}
    assert found.gain_percent > 80
    assert found.changes[0].move.why[0] == "It waits for 0.50 CPUs on kvm1."


def test_a_busy_host_where_nobody_waits_is_left_alone() -> None:
    busy = [guest(f"web-{n}", used=1.0, waiting=0.0) for n in range(4)]
    assert proposed(busy, [room(1), room(2)]).changes == ()


def test_memory_that_is_short_is_relieved() -> None:
    full = [guest(f"web-{n}", used=0, waiting=0, memory=16) for n in range(4)]
    rooms = [room(1, promised=64), room(2)]
    found = proposed(full, rooms)
    assert len(found.changes) == 1
    assert found.before[0].memory_share == 1
    assert found.after[0].memory_share == 0.75


def test_nothing_goes_where_it_would_wait_just_the_same() -> None:
    here = [guest(f"web-{n}") for n in range(8)]
    there = [guest(f"db-{n}", host=2) for n in range(8)]
    assert proposed(here + there, [room(1), room(2)]).changes == ()


def test_rules_and_maintenance_count() -> None:
    apart = (TagRule("db", APART),)
    pair = [guest(f"db-{n}") for n in range(2)]
    pair = [
        replace(
            it,
            traveller=replace(
                it.traveller, need=replace(it.traveller.need, keep=apart)
            ),
        )
        for it in pair
    ]
    one = replace(room(1, cpus=1), guest_tags={"db": 2})
    assert len(proposed(pair, [one, room(2)]).changes) == 1
    shut = replace(room(2), maintenance=True)
    assert proposed(pair, [one, shut]).changes == ()


_ROOMS = st.lists(
    st.builds(
        room,
        st.integers(1, 3),
        cpus=st.integers(1, 16),
        memory=st.integers(1, 64),
        promised=st.integers(0, 64),
    ),
    min_size=1,
    max_size=3,
    unique_by=attrgetter("id"),
)
_GUESTS = st.lists(
    st.builds(
        guest,
        st.sampled_from([f"g{n}" for n in range(20)]),
        st.integers(1, 3),
        st.floats(0, 4),
        st.floats(0, 4),
        st.integers(1, 16),
    ),
    max_size=20,
    unique_by=lambda it: str(it.traveller.guest),
)


patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@patient
@given(_GUESTS, _ROOMS)
def test_it_ends_helps_and_fills_no_host_too_full(
    guests: list[Sufferer], rooms: list[Room]
) -> None:
    by_id = {it.id: it for it in rooms}
    there = [it for it in guests if it.host in by_id]
    found = proposed(there, rooms)
    moved = [it.move.guest for it in found.changes]
    assert len(moved) == len(set(moved)) <= MOST_MOVES
    coming: dict[int, int] = defaultdict(int)
    for change in found.changes:
        assert change.relief_cpus > 0
        assert change.move.host != change.source
        coming[change.move.host] += change.move.memory_bytes
        coming[change.source] -= change.move.memory_bytes
    for host, taken in coming.items():
        before = by_id[host]
        assert taken <= 0 or taken <= before.memory_left_bytes
    if found.changes:
        assert found.gain_percent > 0
    assert found == proposed(there, list(reversed(rooms)))
