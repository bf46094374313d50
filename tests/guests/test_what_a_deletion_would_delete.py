"""Which volumes go with a guest: those that nobody else may use, and no others."""

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from guests import facts, removal
from guests.models import Guest
from hosts.models import Host, Pool, Volume
from kvmweb.errors import Conflict
from kvmweb.operations.models import Operation
from kvmweb.virt.types import DomainState
from tests.guests.conftest import disk, domain

IMAGES = "/images"
API = "/api/v1/guests/"


def pool_of(host: Host, *volumes: str, **about: Any) -> Pool:
    """A pool with these volumes."""
    columns = {
        "name": "default",
        "type": "dir",
        "target": IMAGES,
        "capacity_bytes": 1000,
        "active": True,
        "autostart": True,
        "persistent": True,
    } | about
    pool = Pool.objects.create(host=host, uuid=uuid4(), **columns)
    for name in volumes:
        Volume.objects.create(
            pool=pool, name=name, key=name, path=f"{pool.target}/{name}"
        )
    return pool


def guest_with(host: Host, *disks: Any, name: str = "web") -> Guest:
    """A stopped guest with these disks."""
    told = domain(name, disks=disks)
    facts.record_domain(host, told, "")
    return Guest.objects.select_related("host").get(pk=told.uuid)


def fates(guest: Guest) -> dict[str, str]:
    """Why each disk is kept; "" for what would be deleted."""
    return {fate.target: fate.why for fate in removal.plan(guest)}


def test_its_own_volume_goes(kvm1: Host) -> None:
    pool_of(kvm1, "web.img")
    web = guest_with(kvm1, disk("/images/web.img"))
    assert fates(web) == {"vda": ""}


@pytest.mark.parametrize(
    ("about", "word"),
    [
        ({"device": "cdrom", "readonly": True}, "cdrom"),
        ({"device": "floppy"}, "floppy"),
        ({"device": "lun"}, "lun"),
        ({"readonly": True}, "read-only"),
        ({"shareable": True}, "shared"),
        ({"path": "/elsewhere/web.img"}, "No storage pool"),
        ({"path": "", "kind": "network"}, "No storage pool"),
    ],
)
def test_what_may_serve_others_stays(
    kvm1: Host, about: dict[str, Any], word: str
) -> None:
    pool_of(kvm1, "web.img")
    web = guest_with(kvm1, disk(**{"path": "/images/web.img"} | about))
    assert word in fates(web)["vda"]


@pytest.mark.parametrize("state", ["running", "shutoff", "paused", "unknown"])
def test_what_another_guest_uses_stays(kvm1: Host, state: str) -> None:
    pool_of(kvm1, "web.img")
    web = guest_with(kvm1, disk("/images/web.img"))
    guest_with(kvm1, disk("/images/web.img", "vdb"), name="backup")
    Guest.objects.filter(name="backup").update(state=state)
    assert "backup" in fates(web)["vda"]


def test_what_another_guest_will_use_at_its_next_start_stays(kvm1: Host) -> None:
    pool_of(kvm1, "web.img")
    web = guest_with(kvm1, disk("/images/web.img"))
    told = domain("later", DomainState.RUNNING)
    next_time = domain("later", uuid=told.uuid, disks=(disk("/images/web.img"),))
    with_both = {"inactive_xml": next_time.xml, "xml": told.xml}
    facts.record_domain(
        kvm1, domain("later", DomainState.RUNNING, told.uuid, **with_both), ""
    )
    assert "later" in fates(web)["vda"]


def test_what_another_names_by_pool_and_volume_stays(kvm1: Host) -> None:
    pool_of(kvm1, "web.img")
    web = guest_with(kvm1, disk("/images/web.img"))
    facts.record_domain(
        kvm1,
        domain(
            "byname",
            xml="<domain><devices><disk type='volume'><source pool='default' "
            "volume='web.img'/><target dev='vda'/></disk></devices></domain>",
        ),
        "",
    )
    assert "byname" in fates(web)["vda"]


def test_what_another_volume_stands_on_stays(kvm1: Host) -> None:
    pool = pool_of(kvm1, "base.img")
    Volume.objects.create(
        pool=pool,
        name="over.img",
        key="o",
        path="/images/over.img",
        backing_path="/images/base.img",
    )
    web = guest_with(kvm1, disk("/images/base.img"))
    assert "over.img" in fates(web)["vda"]


@pytest.mark.parametrize(
    ("theirs", "same"),
    [
        ({}, True),
        ({"type": "netfs"}, True),
        ({"capacity_bytes": 999}, False),
        ({"target": "/other"}, True),  # no pool there tells, so the path alone counts
    ],
)
def test_what_a_guest_of_another_host_uses_stays_if_it_may_be_the_same(
    kvm1: Host,
    kvm2: Host,
    theirs: dict[str, Any],
    same: bool,
) -> None:
    pool_of(kvm1, "web.img")
    pool_of(kvm2, "web.img", **theirs)
    web = guest_with(kvm1, disk("/images/web.img"))
    guest_with(kvm2, disk("/images/web.img"), name="far")
    assert ("far" in fates(web)["vda"]) == same


def test_two_local_disks_of_one_size_are_told_apart_by_what_is_on_them(
    kvm1: Host, kvm2: Host
) -> None:
    pool_of(kvm1, "web.img")
    pool_of(kvm2, "db.img")
    Host.objects.filter(pk=kvm2.pk).update(state=Host.State.DOWN)
    assert fates(guest_with(kvm1, disk("/images/web.img"))) == {"vda": ""}


def test_nothing_goes_while_somebody_who_may_know_is_away(
    as_operator: Client, kvm1: Host, kvm2: Host
) -> None:
    pool_of(kvm1, "web.img")
    pool_of(kvm2, "web.img")
    Host.objects.filter(pk=kvm2.pk).update(state=Host.State.DOWN)
    web = guest_with(kvm1, disk("/images/web.img"))
    with pytest.raises(Conflict, match="kvm2 does not answer"):
        removal.plan(web)
    answer = as_operator.delete(f"{API}{web.pk}/?volumes=delete")
    assert answer.status_code == 409
    assert "kvm2" in answer.json()["detail"]
    assert not Operation.objects.exists()
    answer = as_operator.delete(f"{API}{web.pk}/")
    assert answer.status_code == 202
    assert Operation.objects.get().params == {"volumes": [], "kept": []}


@pytest.mark.parametrize(
    ("columns", "word"),
    [
        ({"state": "running"}, "running"),
        ({"state": "paused"}, "paused"),
        ({"protected": True}, "protected"),
        ({"state": "gone"}, "gone"),
    ],
)
def test_a_guest_that_must_not_go_is_refused(
    as_operator: Client, kvm1: Host, columns: dict[str, Any], word: str
) -> None:
    web = guest_with(kvm1)
    Guest.objects.update(**columns)
    answer = as_operator.delete(f"{API}{web.pk}/")
    assert answer.status_code == 409
    assert word in answer.json()["detail"]
    assert as_operator.delete(f"{API}{web.pk}/?volumes=all").status_code == 422
    assert not Operation.objects.exists()
