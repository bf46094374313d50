"""Clones and templates by the API and on pages: asked for, refused, shown."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client

from guests import services
from guests.images.models import Seed
from guests.models import Document, Guest
from hosts.models import Host, Pool, Volume
from hosts.storage.models import Claim
from kvmweb.accounts.models import AuditEntry, User
from kvmweb.errors import Conflict, Invalid
from kvmweb.operations.models import Operation
from kvmweb.virt.types import DomainState

JSON = "application/json"
WEB = UUID("0b5a7c7e-4b6c-4c8e-9a53-0c6d6f1d2a11")
API = f"/api/v1/guests/{WEB}"
GIB = 1024**3


@pytest.fixture(autouse=True)
def _redis(redis_server: str) -> None:
    """Numbers and news need one."""


def pool_on(host: Host, **about: Any) -> Pool:
    """A directory of images."""
    plain = {
        "uuid": uuid4(),
        "name": "default",
        "type": "dir",
        "active": True,
        "autostart": True,
        "persistent": True,
        "target": "/images",
        "available_bytes": 100 * GIB,
    }
    return Pool.objects.create(host=host, **(plain | about))


def disk_of(path: str, **about: Any) -> dict[str, Any]:
    """A disk as a guest's row has it."""
    plain = {
        "target": "vda",
        "device": "disk",
        "bus": "virtio",
        "kind": "file",
        "path": path,
        "pool": "",
        "volume": "",
        "format": "qcow2",
        "readonly": False,
        "shareable": False,
        "capacity_bytes": None,
    }
    return plain | about


@pytest.fixture
def web(kvm1: Host) -> Guest:
    """A guest that is off, with a disk in a pool."""
    pool = pool_on(kvm1)
    Volume.objects.create(
        pool=pool,
        name="web.qcow2",
        key="w",
        path="/images/web.qcow2",
        format="qcow2",
        capacity_bytes=10 * GIB,
        allocation_bytes=2 * GIB,
    )
    return Guest.objects.create(
        uuid=WEB,
        name="web",
        host=kvm1,
        state=DomainState.SHUTOFF,
        disks=[disk_of("/images/web.qcow2")],
        uses=["/images/web.qcow2"],
        tags=["shop"],
    )


def ask(client: Client, **body: Any) -> Any:
    """The answer to asking for a clone."""
    return client.post(f"{API}/clone/", {"name": "web-2", **body}, JSON)


def test_a_full_clone_holds_its_original(web: Guest, as_operator: Client) -> None:
    said = ask(as_operator)
    assert said.status_code == 202, said.content
    parent = Operation.objects.get(pk=said.json()["id"])
    (child,) = Operation.objects.filter(parent=parent)
    assert (parent.guest, parent.kind) == (WEB, "guest.clone")
    assert str(child.guest) == parent.result["guest"]
    (disk,) = child.params["plan"]["disks"]
    assert (disk["path"], disk["format"]) == ("/images/web-2.vda.qcow2", "qcow2")
    assert Claim.objects.filter(operation=child, destroys=False).exists()
    busy = as_operator.post(f"{API}/start/")
    assert busy.status_code == 409
    assert "clone" in busy.json()["detail"]


def test_linked_clones_hold_nobody(web: Guest, as_operator: Client) -> None:
    assert as_operator.put(f"{API}/template/", {"template": True}, JSON).json()[
        "template"
    ]
    first, second = (ask(as_operator, name=name, linked=True) for name in ("a", "b"))
    assert (first.status_code, second.status_code) == (202, 202)
    assert not Operation.objects.filter(guest=WEB).exists()
    (disk,) = Operation.objects.get(pk=first.json()["id"]).params["plan"]["disks"]
    assert (disk["source"], disk["format"]) == ("/images/web.qcow2", "qcow2")


def test_several_have_numbered_names(web: Guest, as_operator: Client) -> None:
    said = ask(as_operator, count=3)
    names = set(
        Operation.objects.filter(parent=said.json()["id"]).values_list(
            "guest_name", flat=True
        )
    )
    assert names == {"web-2-01", "web-2-02", "web-2-03"}
    assert len(Operation.objects.get(pk=said.json()["id"]).result["guests"]) == 3


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"name": "-x"}, 422, "name"),
        ({"name": "web 2"}, 422, "name"),
        ({"name": "a;touch x"}, 422, "name"),
        ({"count": 0}, 422, "50"),
        ({"count": 51}, 422, "50"),
        ({"name": "web"}, 409, "already"),
        ({"linked": True}, 409, "no template"),
        ({"host": 10**9}, 422, "no such host"),
        ({"nmae": "x"}, 422, "nmae"),
        ({"cloud_init": {"hostname": "a b"}}, 422, "host"),
    ],
)
def test_what_cannot_be_is_refused(
    web: Guest, as_operator: Client, body: dict[str, Any], status: int, said: str
) -> None:
    answer = ask(as_operator, **body)
    assert answer.status_code == status, answer.content
    assert said in answer.content.decode()
    assert not Operation.objects.exists()


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"state": "running"}, "Shut it down first"),
        ({"persistent": False}, "transient"),
        ({"managed_save": True}, "saved while it ran"),
        ({"disks": [disk_of("/elsewhere/x.img")]}, "no storage pool"),
        ({"disks": [disk_of("/images/web.qcow2", shareable=True)]}, "shared with"),
    ],
)
def test_a_guest_that_cannot_be_copied_says_why(
    web: Guest, as_operator: Client, columns: dict[str, Any], said: str
) -> None:
    Guest.objects.update(**columns)
    answer = ask(as_operator)
    assert answer.status_code == 409
    assert said in answer.content.decode()


def test_a_copy_that_does_not_fit_is_not_begun(web: Guest, as_operator: Client) -> None:
    Pool.objects.update(available_bytes=3 * GIB)
    assert ask(as_operator).status_code == 202
    Operation.objects.all().delete()
    answer = ask(as_operator, count=2)
    assert (answer.status_code, "bytes left" in answer.json()["detail"]) == (409, True)


def test_a_volume_that_stands_on_another_stays_on_its_host(
    web: Guest, kvm2: Host, as_operator: Client
) -> None:
    pool_on(kvm2)
    assert ask(as_operator, host=kvm2.pk).status_code == 202
    Operation.objects.all().delete()
    Volume.objects.update(backing_path="/images/base.qcow2")
    answer = ask(as_operator, host=kvm2.pk)
    assert (answer.status_code, "full clone on kvm1 first" in str(answer.json())) == (
        409,
        True,
    )


def test_a_guest_made_with_cloud_init_gives_its_clones_a_seed(
    web: Guest, as_operator: Client
) -> None:
    ask(as_operator)
    assert not Seed.objects.exists()
    Operation.objects.all().delete()
    Operation.objects.create(
        kind="guest.create",
        guest=WEB,
        state="succeeded",
        params={"plan": {"seed_pool": 1, "volumes": []}},
    )
    answer = ask(as_operator, name="web-3")
    seed = Seed.objects.get()
    assert (
        str(seed.guest) == Operation.objects.get(pk=answer.json()["id"]).result["guest"]
    )
    assert seed.guest_name == "web-3"


def test_words_for_qemu_are_cloned_by_administrators_only(
    web: Guest, as_operator: Client, as_admin: Client
) -> None:
    xml = (
        "<domain xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'>"
        "<q:commandline/></domain>"
    )
    Document.objects.create(guest=web, xml=xml, inactive_xml=xml)
    assert ask(as_operator).status_code == 403
    assert ask(as_admin).status_code == 202


def test_a_template_is_protected_never_started_and_found(
    web: Guest, as_operator: Client, operator: User
) -> None:
    there = f"{API}/template/"
    said = as_operator.put(there, {"template": True}, JSON)
    assert (said.json()["template"], said.json()["protected"]) == (True, True)
    assert AuditEntry.objects.filter(action="guest.to-template").exists()
    guest = Guest.objects.get(pk=WEB)
    with pytest.raises(Conflict, match="never started"):
        services.act(guest, "start", by=operator)
    with pytest.raises(Conflict, match="protected"):
        services.delete(guest, volumes=True, by=operator)
    for body in ({"protected": False}, {"autostart": True}):
        assert as_operator.patch(f"{API}/", body, JSON).status_code == 422
    for path in ("snapshots/",):
        answer = as_operator.post(f"{API}/{path}", {"name": "a"}, JSON)
        assert (answer.status_code, "template" in answer.json()["detail"]) == (
            409,
            True,
        )
    found = as_operator.get("/api/v1/guests/?template=true").json()
    assert [it["name"] for it in found["items"]] == ["web"]
    assert as_operator.get("/api/v1/guests/?template=false").json()["count"] == 0
    page = as_operator.get("/guests/?template=yes").content.decode()
    assert ">template</a>" in page
    assert 'aria-label="Start web"' not in page
    assert " data-template>" in page  # its menu offers no way to start it
    assert as_operator.put(there, {"template": True}, JSON).status_code == 409


def test_a_template_that_clones_stand_on_stays_one(
    web: Guest, as_operator: Client
) -> None:
    there = f"{API}/template/"
    as_operator.put(there, {"template": True}, JSON)
    Volume.objects.create(
        pool=Pool.objects.get(),
        name="web-2.vda.qcow2",
        key="o",
        path="/images/web-2.vda.qcow2",
        backing_path="/images/web.qcow2",
    )
    answer = as_operator.put(there, {"template": False}, JSON)
    assert (answer.status_code, "web-2.vda" in answer.json()["detail"]) == (409, True)
    Volume.objects.filter(name="web-2.vda.qcow2").delete()
    assert as_operator.put(there, {"template": False}, JSON).status_code == 200
    assert services.act(
        Guest.objects.select_related("host").get(pk=WEB),
        "start",
        by=User.objects.get(username="olga"),
    )


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"state": "running"}, "shut it down"),
        ({"autostart": True}, "starts with its host"),
        ({"managed_save": True}, "saved while it ran"),
        ({"persistent": False}, "transient"),
    ],
)
def test_what_cannot_be_a_template_says_why(
    web: Guest, as_operator: Client, columns: dict[str, Any], said: str
) -> None:
    Guest.objects.update(**columns)
    answer = as_operator.put(f"{API}/template/", {"template": True}, JSON)
    assert (
        answer.status_code,
        said in answer.json()["detail"] + str(answer.json()),
    ) == (
        409,
        True,
    )


def test_a_busy_guest_is_made_no_template(web: Guest, as_operator: Client) -> None:
    assert as_operator.post(f"{API}/start/").status_code == 202
    answer = as_operator.put(f"{API}/template/", {"template": True}, JSON)
    assert (answer.status_code, "busy" in answer.json()["detail"]) == (409, True)


def test_it_is_done_on_pages(web: Guest, as_operator: Client) -> None:
    page = as_operator.get(f"/guests/{WEB}/clone/").content.decode()
    assert 'value="web-clone"' in page
    assert "virt-sysprep" in page
    body = {"name": "w w", "linked": "no", "count": "1"}
    assert as_operator.post(f"/guests/{WEB}/clone/", body).status_code == 422
    said = as_operator.post(f"/guests/{WEB}/clone/", body | {"name": "ww"})
    assert said.status_code == 302
    assert Operation.objects.filter(guest_name="ww").exists()
    Operation.objects.update(state="succeeded")
    assert as_operator.post(f"/guests/{WEB}/to-template/").status_code == 302
    assert Guest.objects.get().template
    page = as_operator.get(f"/guests/{WEB}/").content.decode()
    assert "Make it a guest again" in page
    assert as_operator.post(f"/guests/{WEB}/to-guest/").status_code == 302
    assert not Guest.objects.get().template


def test_a_person_who_may_not_make_guests_may_not_clone(
    web: Guest, as_user: Client, user: User
) -> None:
    assert ask(as_user).status_code == 403
    Guest.objects.update(owner=user)
    assert ask(as_user).status_code == 403
    assert as_user.put(f"{API}/template/", {"template": True}, JSON).status_code == 403
    page = as_user.get(f"/guests/{WEB}/").content.decode()
    assert "Clone" not in page


def test_a_hostname_of_ones_own_is_checked(web: Guest) -> None:
    from guests.cloning import identity
    from guests.images.seed import CloudInit, user_data

    told = identity.told("web-2", None)
    told.check()
    assert "hostname: web-2" in user_data(told)
    assert "machine-id" in user_data(told)
    own = identity.told(
        "web-2", CloudInit("", user_data="#cloud-config\npackages: []\n")
    )
    assert "machine-id" not in user_data(own)
    with pytest.raises(Invalid):
        CloudInit("a b").check()
