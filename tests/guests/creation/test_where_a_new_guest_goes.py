"""Placement: filters with reasons, weights, and promises that count at once. Pure."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guests.creation.placement import (
    GIB,
    Abilities,
    DiskNeed,
    Need,
    Refused,
    Room,
    RoomPool,
    choose,
    choose_all,
)

POOL = RoomPool(
    1, "default", "dir", active=True, capacity_bytes=100 * GIB, free_bytes=50 * GIB
)


def room(number: int, **about: Any) -> Room:
    """A host with 16 CPUs and 64 GiB; its pool has its own number."""
    plain = Room(
        id=number,
        name=f"kvm{number}",
        cpus=16,
        memory_bytes=64 * GIB,
        pools=(replace(POOL, id=number),),
        networks=frozenset({"default"}),
    )
    return replace(plain, **about)


def need(**about: Any) -> Need:
    """A guest of 2 vCPUs and 4 GiB with a disk of 20 GiB."""
    plain = Need(
        name="web",
        vcpus=2,
        memory_bytes=4 * GIB,
        disks=(DiskNeed(20 * GIB),),
        networks=frozenset({"default"}),
    )
    return replace(plain, **about)


def test_it_goes_where_most_is_left_and_says_why() -> None:
    full = room(1, memory_promised_bytes=40 * GIB)
    choice = choose(need(), [full, room(2)])
    assert choice.room.name == "kvm2"
    assert choice.pools == (2,)
    assert choice.why == ("It has room: 64 GiB of memory left.",)
    assert choice.others == {"kvm1": ("It fits, too, but kvm2 has more room left.",)}


def test_equal_hosts_are_taken_by_name() -> None:
    assert choose(need(), [room(3), room(2), room(1)]).room.name == "kvm1"


@pytest.mark.parametrize(
    ("about", "wanted", "reason"),
    [
        ({"up": False}, {}, "It does not answer now."),
        ({"maintenance": True}, {}, "It is in maintenance."),
        ({"names": frozenset({"web"})}, {}, "It has a guest web already."),
        ({"networks": frozenset()}, {}, "It has no active network default."),
        (
            {"arch": "aarch64"},
            {"arch": "x86_64"},
            "It is a machine of aarch64, not x86_64.",
        ),
        ({"cpus": 1}, {}, "It has 1 CPUs, 2 vCPUs are wanted."),
        ({"memory_bytes": GIB}, {}, "It has 1 GiB of memory, 4 GiB are wanted."),
        (
            {"memory_promised_bytes": 61 * GIB},
            {},
            "It has 3 GiB of memory left, 4 GiB are wanted.",
        ),
        (
            {"memory_free_bytes": 2 * GIB},
            {},
            "It has 2 GiB of memory left, 4 GiB are wanted.",
        ),
        ({"pools": ()}, {}, "It has no pool."),
        ({}, {"disks": (DiskNeed(GIB, "fast"),)}, "It has no pool fast."),
        (
            {"pools": (replace(POOL, active=False),)},
            {},
            "The pool default is not started.",
        ),
        (
            {"pools": (replace(POOL, type="iscsi"),)},
            {},
            "A disk cannot be made in default, a pool of type iscsi.",
        ),
        (
            {"pools": (replace(POOL, type="logical"),)},
            {"disks": (DiskNeed(60 * GIB),)},
            "The pool default has 50 GiB free, 60 GiB are needed.",
        ),
        (
            {},
            {"disks": (DiskNeed(40 * GIB, thin=False), DiskNeed(40 * GIB, thin=False))},
            "The pool default has 10 GiB free, 40 GiB are needed.",
        ),
        (
            {"abilities": Abilities(firmware=frozenset({"bios"}))},
            {"firmware": "uefi"},
            "It has no firmware for UEFI.",
        ),
        (
            {"abilities": Abilities(tpm=False)},
            {"tpm": True},
            "It cannot emulate a TPM: swtpm is not installed there.",
        ),
        (
            {"abilities": Abilities(virtiofs=False)},
            {"virtiofs": True},
            "It cannot share directories: virtiofsd is not installed there.",
        ),
        (
            {"abilities": Abilities(hugepages=False)},
            {"hugepages": True},
            "It has no huge pages set aside.",
        ),
        (
            {"abilities": Abilities(machines=frozenset({"virt-7.2"}))},
            {"machine": "q35"},
            "It has no machine of type q35.",
        ),
        (
            {"abilities": Abilities(cpu_models=frozenset({"Nehalem"}))},
            {"cpu_model": "EPYC"},
            "It does not have the CPU model EPYC.",
        ),
        (
            {"abilities": Abilities(vcpus_max=1)},
            {},
            "It gives a guest at most 1 vCPUs.",
        ),
        (
            {},
            {"hosts": frozenset({7}), "because": "The volume data is not there."},
            "The volume data is not there.",
        ),
    ],
)
def test_each_host_says_why_not(
    about: dict[str, Any], wanted: dict[str, Any], reason: str
) -> None:
    with pytest.raises(Refused) as refused:
        choose(need(**wanted), [room(1, **about)])
    assert reason in refused.value.reasons["kvm1"]
    assert f"kvm1: {reason}" in refused.value.detail
    assert refused.value.status == 409


def test_what_a_host_has_not_said_is_not_held_against_it() -> None:
    wanted = need(tpm=True, firmware="uefi-secure", machine="q35", cpu_model="EPYC")
    assert choose(wanted, [room(1)]).room.name == "kvm1"


def test_no_host_at_all_is_said_so() -> None:
    with pytest.raises(Refused, match="There are no hosts yet"):
        choose(need(), [])


def test_a_host_that_a_person_named_may_be_short_of_memory_but_says_so() -> None:
    short = room(1, memory_promised_bytes=63 * GIB)
    wanted = need(hosts=frozenset({1}), by_hand=True, because="You chose kvm1.")
    choice = choose(wanted, [short, room(2)])
    assert choice.room.name == "kvm1"
    assert "has only 1 GiB of memory left" in choice.warnings[0]
    assert choice.others == {"kvm2": ("You chose kvm1.",)}


def test_only_the_named_host_speaks_when_it_does_not_fit() -> None:
    wanted = need(hosts=frozenset({1}), by_hand=True, because="You chose kvm1.")
    with pytest.raises(Refused) as refused:
        choose(wanted, [room(1, maintenance=True), room(2)])
    assert refused.value.reasons == {"kvm1": ("It is in maintenance.",)}


def test_a_copy_of_the_image_decides_between_equals() -> None:
    there = room(2, images=frozenset({"debian"}))
    choice = choose(need(image="debian"), [room(1), there])
    assert choice.room.name == "kvm2"
    assert "It has a copy of the image already." in choice.why


def test_the_default_pool_is_taken_before_a_bigger_one() -> None:
    big = replace(POOL, id=9, name="big", free_bytes=90 * GIB)
    assert choose(need(), [room(1, pools=(big, POOL))]).pools == (POOL.id,)
    wanted = need(disks=(DiskNeed(GIB, "big"),))
    assert choose(wanted, [room(1, pools=(big, POOL))]).pools == (big.id,)


def test_disks_that_fit_no_pool_together_are_parted() -> None:
    wanted = need(disks=(DiskNeed(40 * GIB, thin=False),) * 2)
    big = replace(POOL, id=9, name="big", free_bytes=45 * GIB)
    assert choose(wanted, [room(1, pools=(POOL, big))]).pools == (POOL.id, big.id)


def test_fifty_are_spread_over_two_hosts() -> None:
    wanted = [need(name=f"web-{n:02}", memory_bytes=GIB // 64) for n in range(50)]
    choices = choose_all(wanted, [room(1), room(2, memory_promised_bytes=30 * GIB)])
    names = [choice.room.name for choice in choices]
    assert (names.count("kvm1"), names.count("kvm2")) == (25, 25)


def test_those_placed_together_are_promised_once_each() -> None:
    wanted = [need(name=f"db-{n}", memory_bytes=30 * GIB) for n in range(3)]
    with pytest.raises(Refused, match="4 GiB of memory left"):
        choose_all(wanted, [room(1)])
    assert len(choose_all(wanted, [room(1), room(2)])) == 3


def test_two_of_one_name_never_meet_on_a_host() -> None:
    choices = choose_all([need(), need()], [room(1), room(2)])
    assert {choice.room.name for choice in choices} == {"kvm1", "kvm2"}


_ROOMS = st.lists(
    st.builds(
        room,
        st.integers(1, 12),
        up=st.booleans(),
        maintenance=st.booleans(),
        cpus=st.integers(1, 64),
        memory_bytes=st.integers(0, 256 * GIB),
        memory_promised_bytes=st.integers(0, 256 * GIB),
        memory_free_bytes=st.none() | st.integers(0, 256 * GIB),
        siblings=st.integers(0, 3),
    ),
    max_size=8,
    unique_by=lambda each: each.id,
)
_NEEDS = st.builds(
    need,
    vcpus=st.integers(1, 64),
    memory_bytes=st.integers(1, 256 * GIB),
    disks=st.lists(
        st.builds(DiskNeed, st.integers(1, 80 * GIB), thin=st.booleans()), max_size=3
    ).map(tuple),
)


@given(_NEEDS, _ROOMS)
def test_every_host_is_chosen_or_says_why_not(wanted: Need, rooms: list[Room]) -> None:
    refused: Refused | None
    try:
        choice = choose(wanted, rooms)
    except Refused as error:
        refused = error
    else:
        refused = None
    if refused:
        assert refused.reasons.keys() == {each.name for each in rooms}
        assert all(refused.reasons.values())
        return
    assert choice.others.keys() == {each.name for each in rooms} - {choice.room.name}
    assert all(choice.others.values())
    assert choice.why
    assert choice.room.up
    assert not choice.room.maintenance
    assert wanted.memory_bytes <= choice.room.memory_left_bytes
    assert wanted.vcpus <= choice.room.cpus
    assert len(choice.pools) == len(wanted.disks)


@given(st.lists(_NEEDS, max_size=6), _ROOMS)
def test_nothing_is_promised_twice(needs: list[Need], rooms: list[Room]) -> None:
    named = [replace(each, name=f"web-{n}") for n, each in enumerate(needs)]
    try:
        choices = choose_all(named, rooms)
    except Refused:
        return
    for each in rooms:
        mine = [
            (wanted, choice)
            for wanted, choice in zip(named, choices, strict=True)
            if choice.room.id == each.id
        ]
        memory = sum(wanted.memory_bytes for wanted, _ in mine)
        assert not mine or memory <= each.memory_left_bytes
        whole = sum(
            disk.bytes for wanted, _ in mine for disk in wanted.disks if not disk.thin
        )
        assert whole <= sum(pool.free_bytes for pool in each.pools)


@given(st.integers(1, 40), st.integers(1, 5))
def test_on_equal_hosts_no_one_has_two_more(count: int, hosts: int) -> None:
    wanted = [need(name=f"web-{n}", memory_bytes=GIB // 64) for n in range(count)]
    choices = choose_all(wanted, [room(n + 1) for n in range(hosts)])
    counts = [sum(c.room.id == n + 1 for c in choices) for n in range(hosts)]
    assert max(counts) - min(counts) <= 1
