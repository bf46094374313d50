"""The watcher on real hosts: what virsh does is in the rows, and one that dies is replaced."""

import os
from collections.abc import Iterator
from functools import partial
from uuid import UUID

import pytest

from deploy.lab import Lab
from deploy.lab_host import LabHost
from tests.lab.watching import KILL, TERMINATE, Watching
from tests.waiting import until

pytestmark = pytest.mark.lab
SOON_S = 15.0  # the goal is one second; a busy machine gets more


@pytest.fixture(scope="module")
def place(lab: Lab) -> Iterator[Watching]:
    """Both hosts added."""
    with Watching() as started:
        for host in lab.hosts:
            started.add(host)
        yield started


@pytest.fixture
def watching(place: Watching, lab: Lab) -> Iterator[Watching]:
    """No watcher yet; nobody is left when the test has ended."""
    yield place
    for host in lab.hosts:
        host.resume_libvirtd()
    place.end()


@pytest.fixture
def off(lab: Lab) -> Iterator[UUID]:
    """A guest of the first host that does not run."""
    host = lab.hosts[0]
    uuid = host.define_demo("seen", 32, running=False, network="", disk_mib=8)
    yield uuid
    remove(host, uuid)


def remove(host: LabHost, uuid: UUID) -> None:
    """Whatever is left of it."""
    if str(uuid) in host.virsh("list", "--uuid"):
        host.virsh("destroy", str(uuid))
    if str(uuid) in host.virsh("list", "--all", "--uuid"):
        host.virsh("undefine", str(uuid), "--snapshots-metadata")


def up(watching: Watching, *hosts: LabHost, seconds: float = 30) -> float:
    """Seconds until these hosts are up."""
    names = {host.name for host in hosts}
    return until(
        lambda: {watching.watched(name) for name in names} == {"up"},
        seconds,
        why=f"Not up: {watching.states()}",
    )


# What virsh does to the guest "lived", and the column that says so.
DEEDS = (
    ("start lived", "state", "running"),
    ("suspend lived", "state", "paused"),
    ("resume lived", "state", "running"),
    ("attach-disk lived {image} vdz --targetbus virtio", "disks", "vdz"),
    ("detach-disk lived vdz", "disks", "no vdz"),
    ("snapshot-create-as lived one", "snapshots", 1),
    ("snapshot-delete lived one", "snapshots", 0),
    ("desc lived --config --live odd", "description", "odd"),
    ("setvcpus lived 2 --config --maximum", "differs", 1),
    ("kill", "state", "crashed"),
    ("domrename lived again", "name", "again"),
    ("undefine again", "state", "gone"),
)


def test_what_virsh_does_is_in_the_rows_at_once(
    watching: Watching, lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    host = lab.hosts[0]
    watching.start()
    up(watching, host)
    image = host.root / "extra.img"
    image.write_bytes(bytes(1024 * 1024))
    uuid = host.define_demo("lived", 32, running=False, network="", disk_mib=8)
    took = {"define": until(lambda: watching.guest(uuid) == "shutoff", SOON_S, 0.01)}

    def seen(column: str, value: object) -> bool:
        said = watching.guest(uuid, column)
        if column == "disks":
            return ("vdz" in said) == (value == "vdz")
        return bool(said == value)

    try:
        for deed, column, value in DEEDS:
            if deed == "kill":
                os.kill(host.qemu_pid("lived"), KILL)
            else:
                host.virsh(*deed.format(image=image).split())
            true = partial(seen, column, value)
            took[deed] = until(true, SOON_S, 0.01, f"{deed} was not seen.")
    finally:
        remove(host, uuid)
    with capsys.disabled():
        print("", *(f"{s:.2f} s {deed}" for deed, s in took.items()), sep="\n")


def test_pools_and_networks_are_in_the_rows_at_once(
    watching: Watching, lab: Lab
) -> None:
    host = lab.hosts[0]
    watching.start()
    up(watching, host)
    target = host.root / "pool-extra"
    target.mkdir()

    def pools() -> dict[str, int]:
        return dict(
            watching.rows("SELECT name, active FROM hosts_pool WHERE name = 'extra'")
        )

    host.virsh("pool-define-as", "extra", "dir", "--target", str(target))
    until(lambda: pools() == {"extra": 0}, SOON_S)
    host.virsh("pool-start", "extra")
    until(lambda: pools() == {"extra": 1}, SOON_S)
    host.virsh("vol-create-as", "extra", "one", "1M")
    host.virsh("pool-refresh", "extra")  # libvirt says nothing of a new volume itself
    until(
        lambda: watching.rows("SELECT 1 FROM hosts_volume WHERE name = 'one'"), SOON_S
    )
    host.virsh("pool-destroy", "extra")
    host.virsh("pool-undefine", "extra")
    until(lambda: pools() == {}, SOON_S)
    host.virsh("net-destroy", "default")
    until(
        lambda: (0,) in watching.rows("SELECT active FROM hosts_network"),
        SOON_S,
    )
    host.virsh("net-start", "default")
    until(lambda: (0,) not in watching.rows("SELECT active FROM hosts_network"), SOON_S)


def test_hosts_are_noticed_when_added_edited_and_removed(
    watching: Watching, lab: Lab
) -> None:
    watcher = watching.start()
    up(watching, *lab.hosts)
    family = below(watcher.pid)
    test = ("--transport", "test")
    watching.manage("add_host", "passing", *test)
    until(lambda: watching.watched("passing") == "up", 2 * SOON_S)
    assert len(below(watcher.pid)) == len(family) + 1
    watching.manage("remove_host", "passing")
    until(lambda: below(watcher.pid) == family, SOON_S)
    assert {watching.host(host.name) for host in lab.hosts} == {"up"}


def test_of_two_watchers_one_is_killed_and_the_other_takes_over(
    watching: Watching, lab: Lab, off: UUID
) -> None:
    first, second = watching.start(), watching.start()
    up(watching, *lab.hosts)
    until(lambda: len(set(watching.holders().values()) - {""}) == 2, 20)
    mine = watching.holders()[lab.hosts[0].name]
    killed = next(each for each in (first, second) if f":{each.pid}:" in mine)
    watching.kill(killed, KILL)
    took_s = until(lambda: len(set(watching.holders().values())) == 1, 20)
    lab.hosts[0].virsh("start", "seen")
    took_s += until(lambda: watching.guest(off) == "running", 10)
    assert took_s < 17


def test_a_watcher_that_is_told_to_end_hands_over_at_once(
    watching: Watching, lab: Lab, off: UUID
) -> None:
    first, second = watching.start(), watching.start()
    up(watching, *lab.hosts)
    until(lambda: len(set(watching.holders().values()) - {""}) == 2, 20)
    watching.kill(first, TERMINATE)
    assert first.returncode == 0
    until(lambda: len(set(watching.holders().values())) == 1, SOON_S)
    assert f":{second.pid}:" in watching.holders()[lab.hosts[0].name]
    assert {watching.host(host.name) for host in lab.hosts} == {"up"}


def test_a_libvirtd_that_dies_is_down_and_back_when_it_is_back(
    watching: Watching, lab: Lab, off: UUID
) -> None:
    host, other = lab.hosts
    host.virsh("start", "seen")
    watching.start()
    up(watching, host, other)
    until(lambda: watching.guest(off) == "running", 10)
    host.kill_libvirtd()
    try:
        until(lambda: watching.host(host.name) == "down", 5)
        until(lambda: watching.guest(off) == "unknown", 5)
        assert watching.host(host.name, "error")
        assert watching.host(other.name) == "up"
    finally:
        host.start_libvirtd()
    assert up(watching, host) < 15
    until(lambda: watching.guest(off) == "running", 5)


def test_a_libvirtd_that_hangs_is_down_and_harms_no_other(
    watching: Watching, lab: Lab, off: UUID
) -> None:
    other, hung = lab.hosts
    watching.start()
    up(watching, hung, other)
    hung.pause_libvirtd()
    try:
        for action, state in (("start", "running"), ("destroy", "shutoff")):
            other.virsh(action, "seen")
            until(lambda state=state: watching.guest(off) == state, SOON_S)
        until(lambda: watching.host(hung.name) == "down", 25)
        assert watching.host(hung.name, "error_hint")
        other.virsh("start", "seen")
        until(lambda: watching.guest(off) == "running", SOON_S)
    finally:
        hung.resume_libvirtd()
    assert up(watching, hung) < 15


def test_a_libvirtd_that_hangs_while_being_opened_is_down_too(
    watching: Watching, lab: Lab, off: UUID
) -> None:
    other, hung = lab.hosts
    hung.pause_libvirtd()
    try:
        watching.start()
        up(watching, other)
        other.virsh("start", "seen")
        until(lambda: watching.guest(off) == "running", SOON_S)
        until(lambda: watching.host(hung.name) == "down", 25)
    finally:
        hung.resume_libvirtd()
    assert up(watching, hung) < 15


def test_nothing_is_left_behind_by_a_watcher_that_is_killed(
    watching: Watching, lab: Lab
) -> None:
    watcher = watching.start()
    up(watching, *lab.hosts)
    family = below(watcher.pid)
    assert len(family) >= 3  # the server that forks, and an eye for each host
    watching.kill(watcher, KILL)
    until(lambda: not [pid for pid in family if os.path.exists(f"/proc/{pid}")], 10)


def below(pid: int) -> list[int]:
    """All processes this one started, and those they started."""
    children: list[int] = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children") as said:
            children += [int(word) for word in said.read().split()]
    return children + [far for child in children for far in below(child)]
