"""Whether a guest may move, and every reason why not. Pure."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guests.migration.may import (
    Between,
    DiskAt,
    Needs,
    NicAt,
    PoolAt,
    Reason,
    Side,
    Verdict,
    may,
)

GIB = 1024**3
IMAGES = "/var/lib/libvirt/images"
POOL = PoolAt("default", "dir", active=True, target=IMAGES, free_bytes=100 * GIB)
DISK = DiskAt(
    "vda",
    f"{IMAGES}/web.qcow2",
    pool="default",
    capacity_bytes=20 * GIB,
    allocated_bytes=2 * GIB,
)
CD = DiskAt("sda", f"{IMAGES}/debian.iso", device="cdrom", readonly=True)
HOME = Side(
    1,
    "kvm1",
    arch="x86_64",
    virt_types=frozenset({"kvm", "qemu"}),
    emulator=(7, 2, 0),
    libvirt=(9, 0, 0),
    machines=frozenset({"pc-q35-7.2", "pc-q35-6.2"}),
    firmware=frozenset({"bios", "uefi"}),
    cpu_models=frozenset({"EPYC", "qemu64"}),
    cpu="EPYC",
    vcpus_max=255,
    tpm=True,
    hugepages=True,
    memory_left_bytes=16 * GIB,
    networks={"default": True},
    interfaces=frozenset({"br0"}),
    pools=(POOL,),
    address="10.0.0.1",
)
THERE = replace(HOME, id=2, name="kvm2", address="10.0.0.2")
GUEST = Needs(
    "web",
    memory_bytes=2 * GIB,
    vcpus=2,
    arch="x86_64",
    virt_type="kvm",
    machine="pc-q35-7.2",
    firmware="bios",
    cpu_mode="custom",
    cpu_model="EPYC",
    disks=(DISK,),
    nics=(NicAt("network", "default"),),
)
OFF = replace(GUEST, live=False, state="shutoff")


def _codes(verdict: Verdict) -> set[str]:
    return {reason.code for reason in verdict.reasons}


def test_a_guest_with_everything_it_needs_there_may_go() -> None:
    verdict = may(GUEST, HOME, THERE)
    assert (verdict.ok, verdict.reasons) == (True, ())
    assert (verdict.storage, verdict.copied) == ("copy", ("vda",))
    assert verdict.bytes_to_copy == 2 * GIB


@pytest.mark.parametrize(
    ("code", "guest", "there"),
    [
        ("already_there", {}, {"id": 1}),
        ("host_down", {}, {"up": False}),
        ("maintenance", {}, {"maintenance": True}),
        ("name_taken", {}, {"taken": True}),
        ("no_address", {}, {"address": ""}),
        ("memory", {}, {"memory_left_bytes": GIB}),
        ("no_arch", {}, {"arch": "aarch64"}),
        ("virt_type", {}, {"virt_types": frozenset({"qemu"})}),
        ("machine", {}, {"machines": frozenset({"pc-q35-6.2"})}),
        ("firmware", {"firmware": "uefi"}, {"firmware": frozenset({"bios"})}),
        ("older_qemu", {}, {"emulator": (6, 2, 0)}),
        ("cpu", {"cpu_mode": "host-passthrough", "cpu_model": ""}, {"cpu": "Xeon"}),
        ("cpu", {}, {"cpu_models": frozenset({"qemu64"})}),
        ("vcpus", {"vcpus": 300}, {}),
        ("tpm", {"tpm": True}, {"tpm": False}),
        ("hugepages", {"hugepages": True}, {"hugepages": False}),
        ("network", {}, {"networks": {}}),
        ("network_inactive", {}, {"networks": {"default": False}}),
        ("bridge", {"nics": (NicAt("bridge", "br1"),)}, {}),
        ("host_device", {"devices": ("USB 0x1:0x2",)}, {}),
        ("host_directory", {"shares": ("/srv",)}, {}),
        ("listen_address", {"listens": ("10.0.0.1",)}, {}),
        ("snapshots", {"snapshots": 2}, {}),
        ("busy", {"busy": "start"}, {}),
        ("state", {"state": "shutting-down"}, {}),
        ("conflict", {"elsewhere": ("kvm3",)}, {}),
        ("no_pool", {}, {"pools": ()}),
        ("pool_inactive", {}, {"pools": (replace(POOL, active=False),)}),
        ("pool_full", {}, {"pools": (replace(POOL, free_bytes=GIB),)}),
        ("volume_there", {}, {"paths": frozenset({DISK.path})}),
        ("medium", {"disks": (DISK, CD)}, {}),
    ],
)
def test_each_thing_that_is_missing_is_a_reason_of_its_own(
    code: str, guest: dict[str, Any], there: dict[str, Any]
) -> None:
    verdict = may(replace(GUEST, **guest), HOME, replace(THERE, **there))
    assert not verdict.ok
    assert _codes(verdict) == {code}
    for reason in verdict.reasons:
        assert reason.message.endswith(".")
        assert reason.fix.endswith(".")


@pytest.mark.parametrize(
    ("code", "guest"),
    [
        ("transient", {"persistent": False}),
        ("saved_state", {"saved": True}),
        ("settings", {"firmware": "uefi"}),
        ("settings", {"tpm": True}),
        ("state", {"state": "running"}),
    ],
)
def test_a_guest_that_is_off_has_reasons_of_its_own(
    code: str, guest: dict[str, Any]
) -> None:
    assert _codes(may(replace(OFF, **guest), HOME, THERE)) == {code}


@pytest.mark.parametrize(
    ("guest", "there"),
    [
        ({"devices": ("USB 0x1:0x2",)}, {}),
        ({}, {"memory_left_bytes": GIB}),
        ({}, {"emulator": (6, 2, 0)}),
    ],
)
def test_what_only_a_running_guest_holds_does_not_stop_one_that_is_off(
    guest: dict[str, Any], there: dict[str, Any]
) -> None:
    assert may(replace(OFF, **guest), HOME, replace(THERE, **there)).ok


def test_storage_that_only_looks_shared_is_not_believed() -> None:
    looks = Between(alike=frozenset({IMAGES}))
    there = replace(THERE, paths=frozenset({DISK.path}))
    verdict = may(GUEST, HOME, there, looks)
    assert (verdict.ok, verdict.storage) == (True, "copy")
    (note,) = verdict.notes
    assert (note.code, note.action, note.subject) == ("not_proved", "prove", IMAGES)


def test_storage_that_was_proved_is_shared_and_not_copied() -> None:
    proved = Between(proved=frozenset({IMAGES}))
    verdict = may(GUEST, HOME, replace(THERE, paths=frozenset({DISK.path})), proved)
    assert (verdict.ok, verdict.storage, verdict.shared) == (True, "shared", ("vda",))
    assert (verdict.bytes_to_copy, verdict.notes) == (0, ())


def test_snapshots_go_along_where_the_disks_stay() -> None:
    proved = Between(proved=frozenset({IMAGES}))
    guest = replace(GUEST, snapshots=1)
    assert may(guest, HOME, THERE, proved).ok
    assert _codes(may(guest, HOME, THERE)) == {"snapshots"}


def test_a_medium_may_be_seen_by_both_or_be_missing_where_it_may() -> None:
    guest = replace(GUEST, disks=(DISK, CD))
    assert may(guest, HOME, replace(THERE, paths=frozenset({CD.path}))).ok
    spare = replace(GUEST, disks=(DISK, replace(CD, optional=True)))
    verdict = may(spare, HOME, THERE)
    assert verdict.ok
    assert "medium" in {note.code for note in verdict.notes}


def test_a_disk_whose_cache_lies_may_not_be_shared() -> None:
    guest = replace(GUEST, disks=(replace(DISK, cache="unsafe"),))
    proved = Between(proved=frozenset({IMAGES}))
    assert _codes(may(guest, HOME, THERE, proved)) == {"cache"}
    assert may(guest, HOME, THERE).ok  # copied, it does no harm


def test_what_both_hosts_said_counts_as_well() -> None:
    said = Reason("cpu", "It cannot give it its CPU.", "Give it another one.")
    assert may(GUEST, HOME, THERE, Between(found=(said,))).reasons == (said,)


def test_a_host_that_said_nothing_is_not_refused_for_it() -> None:
    silent = Side(2, "kvm2", networks={"default": True}, pools=(POOL,), address="a")
    assert may(GUEST, HOME, silent).ok


# Each example is a whole guest and a whole host: slow where others use the machine.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
disks = st.builds(
    DiskAt,
    target=st.sampled_from(["vda", "vdb"]),
    path=st.sampled_from(["", f"{IMAGES}/a", "/srv/b"]),
    device=st.sampled_from(["disk", "cdrom", "lun"]),
    cache=st.sampled_from(["", "none", "unsafe"]),
    readonly=st.booleans(),
    optional=st.booleans(),
    networked=st.booleans(),
    capacity_bytes=st.integers(0, 4 * GIB),
    allocated_bytes=st.integers(0, 4 * GIB),
)
guests = st.builds(
    replace,
    st.just(GUEST),
    live=st.booleans(),
    state=st.sampled_from(["running", "paused", "shutoff", "crashed", "gone"]),
    memory_bytes=st.integers(0, 32 * GIB),
    disks=st.lists(disks, max_size=3).map(tuple),
    snapshots=st.integers(0, 2),
)
sides = st.builds(
    replace,
    st.just(THERE),
    up=st.booleans(),
    maintenance=st.booleans(),
    memory_left_bytes=st.one_of(st.none(), st.integers(-GIB, 32 * GIB)),
    pools=st.sampled_from([(), (POOL,), (replace(POOL, active=False),)]),
    paths=st.frozensets(st.sampled_from([f"{IMAGES}/a", "/srv/b"])),
)
betweens = st.builds(
    Between,
    proved=st.frozensets(st.just(IMAGES)),
    refuted=st.frozensets(st.just(IMAGES)),
    alike=st.frozensets(st.sampled_from([IMAGES, "/srv"])),
)


@patient
@given(guests, sides, betweens)
def test_yes_means_no_reasons_and_every_disk_is_accounted_for(
    guest: Needs, there: Side, between: Between
) -> None:
    verdict = may(guest, HOME, there, between)
    assert verdict.ok == (not verdict.reasons)
    data = [disk.target for disk in guest.disks if disk.writable]
    assert sorted((*verdict.copied, *verdict.shared)) == sorted(data)
    assert (verdict.storage == "copy") == bool(verdict.copied)
    assert verdict.bytes_to_copy >= 0


@patient
@given(guests, sides, betweens)
def test_a_host_that_is_down_or_in_maintenance_is_never_right(
    guest: Needs, there: Side, between: Between
) -> None:
    verdict = may(guest, HOME, there, between)
    if not there.up or there.maintenance:
        assert not verdict.ok


@patient
@given(guests, sides)
def test_a_proof_never_adds_to_what_is_copied(guest: Needs, there: Side) -> None:
    believed = may(guest, HOME, there)
    proved = may(guest, HOME, there, Between(proved=frozenset({IMAGES, "/srv"})))
    assert proved.bytes_to_copy <= believed.bytes_to_copy
