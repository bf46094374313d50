"""Every call that destroys, against every kind of use: by rows, by the host, by others.

libvirt protects nothing that is in use, and no refusal here may come from it.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from guests.models import Guest, Twin
from hosts.models import Host, Pool, Volume
from hosts.services import address_of
from hosts.storage import claims
from hosts.storage.models import Holding
from kvmweb.operations import tasks
from kvmweb.operations.models import Operation
from kvmweb.operations.services import submit
from kvmweb.virt import connection, domains, storage

POOL = UUID("33333333-3333-4333-8333-333333333333")
OFF = UUID("22222222-2222-4222-8222-222222222222")
pytestmark = pytest.mark.usefixtures("redis_server", "no_children_stay")

Act = Callable[[Any, Volume], Any]
DESTROYING: dict[str, Act] = {
    "trash": lambda client, it: client.delete(f"/api/v1/volumes/{it.pk}/"),
    "delete": lambda client, it: client.delete(f"/api/v1/volumes/{it.pk}/?now=true"),
    "stop": lambda client, it: client.post(f"/api/v1/pools/{it.pool_id}/stop/"),
    "forget": lambda client, it: client.delete(f"/api/v1/pools/{it.pool_id}/"),
}
destroying = pytest.mark.parametrize("act", DESTROYING.values(), ids=DESTROYING)
# What only the host knows of: no guest has a row here.
USED_THERE = {
    "a disk of one that runs": "/pool/web.qcow2",
    "below a disk": "/pool/base.qcow2",
    "named by pool and volume": "/pool/named.img",
    "a disk of one that is off, spelt otherwise": "/pool/off.img",
    "a kernel": "/pool/vmlinuz",
    "in a snapshot only": "/pool/before.img",
}


def volume(host: Host, path: str) -> Volume:
    return Volume.objects.select_related("pool").get(pool__host=host, path=path)


def only(host: Host, path: str) -> Volume:
    """This volume, and a pool that has no other."""
    found = volume(host, path)
    Volume.objects.filter(pool=found.pool).exclude(pk=found.pk).delete()
    return found


def still_there(host: Host, path: str) -> None:
    with connection.connect(address_of(host)) as there:
        assert there.run(storage.look_volume, path) is not None
    held = Holding.objects.filter(path=path)
    assert not held.exclude(state=Holding.State.READY).exists()


def worked(answer: Any) -> Operation:
    """The operation after a worker took it up."""
    assert answer.status_code == 202, answer.content
    tasks.run(answer.json()["id"])
    return Operation.objects.get(pk=answer.json()["id"])


def guest(host: Host, *uses: str, name: str = "db") -> Guest:
    return Guest.objects.create(
        uuid=uuid4(), name=name, host=host, state="shutoff", uses=list(uses)
    )


@destroying
@pytest.mark.parametrize("path", USED_THERE.values(), ids=USED_THERE)
def test_what_only_the_host_knows_is_found_by_the_worker(
    host: Host, as_admin: Any, act: Act, path: str
) -> None:
    operation = worked(act(as_admin, only(host, path)))
    assert operation.state == "failed", operation.message
    assert f"{path} is used by " in operation.error_message
    assert " on kvm1" in operation.error_message
    still_there(host, path)


@destroying
def test_a_saved_state_counts(host: Host, as_admin: Any, act: Act) -> None:
    with connection.connect(address_of(host)) as there:
        there.run(domains.start, OFF)
        there.run(domains.save, OFF)
    operation = worked(act(as_admin, only(host, "/pool/off.img")))
    assert operation.error_message.count("off on kvm1") == 1
    still_there(host, "/pool/off.img")


@pytest.mark.parametrize("act", [DESTROYING["trash"], DESTROYING["delete"]])
def test_what_another_volume_stands_on_stays(
    host: Host, as_admin: Any, act: Act
) -> None:
    below = volume(host, "/pool/golden.qcow2")
    answer = act(as_admin, below)
    assert answer.status_code == 409
    assert "the volume clone.qcow2" in answer.json()["detail"]
    Volume.objects.filter(name="clone.qcow2").delete()  # rows may be old: it is asked
    operation = worked(act(as_admin, below))
    assert "the volume /pool/clone.qcow2" in operation.error_message
    still_there(host, below.path)


@destroying
@pytest.mark.parametrize("use", ["/pool/a;touch x", "pool/a;touch x"])
def test_a_guest_that_is_known_is_named_at_once(
    host: Host, as_admin: Any, act: Act, use: str
) -> None:
    guest(host, use)
    answer = act(as_admin, only(host, "/pool/a;touch x"))
    assert answer.status_code == 409
    assert "is used by db" in answer.json()["detail"]
    assert not Operation.objects.exists()


@pytest.mark.parametrize("act", [DESTROYING["trash"], DESTROYING["delete"]])
def test_a_guest_of_another_host_on_the_same_storage_counts(
    host: Host, as_admin: Any, act: Act
) -> None:
    found = volume(host, "/pool/a;touch x")
    other = Host.objects.create(name="kvm2", transport="test", state="up")
    Pool.objects.create(
        host=other,
        uuid=uuid4(),
        name="there",
        type="netfs",
        target="/pool",
        active=True,
        autostart=True,
        persistent=True,
    )
    guest(other, found.path, name="elsewhere")
    assert "elsewhere" in act(as_admin, found).json()["detail"]


@pytest.mark.parametrize("act", [DESTROYING["trash"], DESTROYING["delete"]])
def test_a_host_that_may_know_and_cannot_be_asked_is_a_reason_to_refuse(
    host: Host, as_admin: Any, act: Act
) -> None:
    found = volume(host, "/pool/a;touch x")
    other = Host.objects.create(name="kvm2", transport="test", state="down")
    Pool.objects.create(
        host=other,
        uuid=uuid4(),
        name="there",
        type="netfs",
        target="/pool",
        active=True,
        autostart=True,
        persistent=True,
    )
    answer = act(as_admin, found)
    assert answer.status_code == 409
    assert "kvm2 does not answer" in answer.json()["detail"]


@destroying
def test_a_twin_counts(host: Host, as_admin: Any, act: Act) -> None:
    found = only(host, "/pool/a;touch x")
    elsewhere = Host.objects.create(name="kvm2", transport="test", state="up")
    known = guest(elsewhere, name="moved")
    disk = {"path": found.path, "pool": "", "volume": ""}
    Twin.objects.create(
        guest=known, host=host, name="moved", state="running", facts={"disks": [disk]}
    )
    assert "moved on kvm1" in act(as_admin, found).json()["detail"]


@destroying
@pytest.mark.parametrize("destroys", [True, False])
def test_an_operation_under_way_counts(
    host: Host, as_admin: Any, act: Act, destroys: bool
) -> None:
    found = only(host, "/pool/a;touch x")
    other = submit("guest.start-demo", by=None, host=host.pk, host_name="kvm1")
    claims.claim(other, host, [found.path], destroys=destroys)
    answer = act(as_admin, found)
    assert answer.status_code == 409
    assert answer.json()["operation"] == str(other.pk)
    other.state = "failed"
    other.save()
    assert act(as_admin, found).status_code == 202


@pytest.mark.parametrize("act", [DESTROYING["stop"], DESTROYING["forget"]])
def test_a_volume_that_is_being_made_keeps_its_pool(
    host: Host, as_admin: Any, act: Act
) -> None:
    found = only(host, "/pool/a;touch x")
    Holding.objects.create(host=host, path=found.path, state=Holding.State.BUILDING)
    answer = act(as_admin, found)
    assert answer.status_code == 409
    assert "is being made" in answer.json()["detail"]


@pytest.mark.parametrize("act", [DESTROYING["stop"], DESTROYING["forget"]])
def test_a_guest_of_another_host_does_not_keep_a_pool_of_this_one(
    host: Host, as_admin: Any, act: Act
) -> None:
    found = only(host, "/pool/a;touch x")
    elsewhere = Host.objects.create(name="kvm2", transport="test", state="up")
    guest(elsewhere, found.path)
    assert worked(act(as_admin, found)).state == "succeeded"


@destroying
def test_what_nobody_uses_goes(host: Host, as_admin: Any, act: Act) -> None:
    found = only(host, "/pool/a;touch x")
    operation = worked(act(as_admin, found))
    assert operation.state == "succeeded", operation.error_message


def test_what_is_in_use_is_not_written_over(host: Host, admin: Any) -> None:
    from hosts.storage import services
    from kvmweb.errors import Conflict

    found = volume(host, "/pool/a;touch x")
    guest(host, found.path)
    with pytest.raises(Conflict, match=r"write over a;touch x: .* is used by db"):
        services.upload(found, by=admin)
    by_host = volume(host, "/pool/named.img")
    operation = services.upload(by_host, by=admin)
    tasks.run(str(operation.pk))
    operation.refresh_from_db()
    assert "is used by web on kvm1" in operation.error_message
    still_there(host, by_host.path)
