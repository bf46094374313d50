"""The plan of a drain: never too full, counts what is on its way, always the same."""

from collections import defaultdict
from dataclasses import replace
from operator import attrgetter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guests.creation.packing import Board
from guests.creation.placement import Refused, choose
from guests.creation.places import APART, GIB, DiskNeed, Need, Room, RoomPool, TagRule
from guests.draining.loss import Resident
from guests.draining.planning import Offer, Plan, Reason, Traveller, plan

OLD = 1  # the host that is emptied


def room(number: int, memory: int = 64, **about: object) -> Room:
    plain = Room(id=number, name=f"kvm{number}", cpus=16, memory_bytes=memory * GIB)
    return replace(plain, **about)  # type: ignore[arg-type]


def traveller(
    name: str, memory: int = 4, to: tuple[int, ...] = (2, 3), storage: str = "shared"
) -> Traveller:
    offers = tuple(Offer(host, storage, 1.5, 90, memory * GIB) for host in to)
    need = Need(name, vcpus=1, memory_bytes=memory * GIB)
    return Traveller(f"uuid-{name}", need, offers)


def drained(travellers: list[Traveller], rooms: list[Room]) -> Plan:
    return plan(travellers, rooms, leaving=frozenset({OLD}))


def test_guests_are_spread_and_the_plan_says_why() -> None:
    found = drained([traveller("a"), traveller("b")], [room(OLD), room(2), room(3)])
    assert [(it.name, it.host_name) for it in found.moves] == [
        ("a", "kvm2"),
        ("b", "kvm3"),
    ]
    assert found.moves[0].why == (
        "It has room: 64 GiB of memory left.",
        "Its disks are on storage that both hosts share.",
    )
    assert not found.stuck


def test_what_fits_nowhere_is_stuck_with_reasons() -> None:
    big = traveller("big", memory=40)
    two = traveller("two", memory=40)
    full = room(2, memory=50)
    said = Reason("kvm3", "cpu", "kvm3 has another CPU.", "Choose a model.")
    travellers = [
        replace(it, offers=it.offers[:1], reasons=(said,)) for it in (big, two)
    ]
    found = drained(travellers, [room(OLD), full, room(3)])
    assert [move.name for move in found.moves] == ["big"]
    (stuck,) = found.stuck
    assert (stuck.name, stuck.reasons[0]) == ("two", said)
    assert stuck.reasons[1].message == (
        "It has 10 GiB of memory left, 40 GiB are wanted."
    )


def test_without_another_host_everybody_is_stuck() -> None:
    (stuck,) = drained([traveller("a", to=())], [room(OLD)]).stuck
    assert [reason.code for reason in stuck.reasons] == ["no_host"]


def test_shared_storage_is_taken_before_a_copy() -> None:
    mixed = traveller("a", to=())
    mixed = replace(mixed, offers=(Offer(2, "copy"), Offer(3, "shared")))
    roomy, small = room(2, memory=512), room(3)
    assert drained([mixed], [roomy, small]).moves[0].host == 3


def test_a_copy_needs_room_for_the_disks() -> None:
    pool = RoomPool(
        7, "default", "dir", active=True, capacity_bytes=GIB, free_bytes=GIB // 2
    )
    copied = traveller("a", to=(2,), storage="copy")
    copied = replace(copied, need=replace(copied.need, disks=(DiskNeed(GIB),)))
    found = drained([copied], [room(2, pools=(pool,))])
    assert found.stuck[0].reasons[0].message == (
        "The pool default has 0.5 GiB free, 1 GiB are needed."
    )
    shared = replace(copied, offers=(Offer(2, "shared"),))
    assert drained([shared], [room(2, pools=(pool,))]).moves


def test_those_that_stay_apart_do_not_meet() -> None:
    rule = (TagRule("db", APART),)
    pair = [traveller("a"), traveller("b"), traveller("c")]
    pair = [replace(it, need=replace(it.need, keep=rule)) for it in pair]
    found = drained(pair, [room(OLD), room(2), room(3)])
    assert {move.host for move in found.moves} == {2, 3}
    assert [stuck.name for stuck in found.stuck] == ["c"]
    assert "stay apart" in found.stuck[0].reasons[0].message


def test_it_says_whether_the_rest_fits_when_one_more_is_lost() -> None:
    rooms = [room(OLD), room(2, memory=8), room(3, memory=8)]
    small = drained([traveller("a", memory=4)], rooms)
    assert small.still_fits_without_one_more
    large = drained([traveller("a", memory=6), traveller("b", memory=6)], rooms)
    assert not large.still_fits_without_one_more
    assert [(it.host_name, it.stranded) for it in large.lost] == [
        ("kvm2", ("a",)),
        ("kvm3", ("b",)),
    ]


def test_those_that_run_there_already_count_for_what_if() -> None:
    rooms = [
        room(OLD),
        room(2, memory=8),
        room(3, memory=8, memory_promised_bytes=6 * GIB),
    ]
    there = [Resident("old", 3, 6 * GIB)]
    found = plan([traveller("a")], rooms, leaving=frozenset({OLD}), residents=there)
    assert [it.stranded for it in found.lost] == [("a",), ("old",)]


_ROOMS = st.lists(
    st.builds(
        room,
        st.integers(1, 9),
        st.integers(1, 64),
        up=st.booleans(),
        maintenance=st.booleans(),
        reserved_bytes=st.integers(0, 4 * GIB),
        cpu_overcommit=st.none() | st.floats(1, 4),
        memory_promised_bytes=st.integers(0, 64 * GIB),
        memory_free_bytes=st.none() | st.integers(0, 64 * GIB),
        vcpus_promised=st.integers(0, 32),
    ),
    max_size=6,
    unique_by=lambda it: it.id,
)
_TRAVELLERS = st.lists(
    st.builds(
        traveller,
        st.sampled_from("abcdefghijklmnop"),
        st.integers(1, 16),
        st.sets(st.integers(1, 9)).map(lambda it: tuple(sorted(it))),
        st.sampled_from(["shared", "copy", "none"]),
    ),
    max_size=12,
    unique_by=attrgetter("guest"),
)


@given(_TRAVELLERS, _ROOMS)
def test_a_plan_never_overfills_a_host_nor_goes_where_nobody_may(
    travellers: list[Traveller], rooms: list[Room]
) -> None:
    found = drained(travellers, rooms)
    by_id = {it.id: it for it in rooms}
    coming: dict[int, list[Traveller]] = defaultdict(list)
    wanted = {it.guest: it for it in travellers}
    for move in found.moves:
        assert move.host != OLD
        assert by_id[move.host].up
        assert not by_id[move.host].maintenance
        assert move.offer in wanted[move.guest].offers
        coming[move.host].append(wanted[move.guest])
    for host, guests in coming.items():
        taken = sum(it.need.memory_bytes for it in guests)
        assert taken <= by_id[host].memory_left_bytes
        left = by_id[host].vcpus_left
        assert left is None or sum(it.need.vcpus for it in guests) <= left
    told = [it.guest for it in (*found.moves, *found.stuck)]
    assert sorted(told) == sorted(wanted)
    assert all(stuck.reasons for stuck in found.stuck)


@given(_TRAVELLERS, _ROOMS, st.randoms(use_true_random=False))
def test_the_same_rows_in_any_order_give_the_same_plan(
    travellers: list[Traveller], rooms: list[Room], random: Random
) -> None:
    shuffled, others = list(travellers), list(rooms)
    random.shuffle(shuffled)
    random.shuffle(others)
    assert drained(travellers, rooms) == drained(shuffled, others)


@given(_TRAVELLERS, _ROOMS)
def test_the_board_chooses_as_the_placement_does(
    travellers: list[Traveller], rooms: list[Room]
) -> None:
    board, left = Board(rooms), {it.id: it for it in rooms}
    for each in travellers:
        hosts = frozenset(offer.host for offer in each.offers)
        try:
            choice = choose(replace(each.need, hosts=hosts), left.values())
        except Refused:
            assert board.place(each.need, hosts) is None
            continue
        assert board.place(each.need, hosts) == choice.room
        left[choice.room.id] = choice.room.with_guest(each.need, choice.pools)


@pytest.mark.parametrize("overcommit", [1.0, 1.5])
def test_memory_may_be_promised_more_than_once_where_somebody_says_so(
    overcommit: float,
) -> None:
    three = [traveller(name, memory=4, to=(2,)) for name in "abc"]
    rooms = [room(2, memory=10, reserved_bytes=2 * GIB, memory_overcommit=overcommit)]
    assert len(drained(three, rooms).moves) == int(8 * overcommit / 4)
