"""The time machine: what changed in words, restored, revoked, written by hand."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from guests.models import Guest, Revision
from hosts.models import Pool, Volume
from hosts.storage.models import Holding
from kvmweb.operations.models import Operation
from kvmweb.virt import changes, domains
from kvmweb.virt.xml.domain import Domain
from tests.guests.hardware.conftest import OFF, WEB, Bench

MIB = 1024**2
EMULATOR = "<emulator>/tmp/mine</emulator>"


def put(client: Client, guest: Guest, xml: str, etag: str = "", **headers: str) -> Any:
    if etag:
        headers["HTTP_IF_MATCH"] = etag
    return client.put(
        f"/api/v1/guests/{guest.pk}/xml/",
        xml,
        content_type="application/xml",
        **headers,
    )


@pytest.fixture
def program(admin_token: str) -> Client:
    """An admin's program."""
    return Client(headers={"Authorization": f"Bearer {admin_token}"})


def test_each_version_says_what_changed_and_by_whom(
    bench: Bench, off: Guest, ask: Callable[..., Any]
) -> None:
    bench.done(ask("PATCH", off, "", {"memory_bytes": 512 * MIB}))
    xml = bench.documents(OFF).config.replace("'lan'", "'lab'")
    bench.run(changes.define, xml, uuid=OFF)  # somebody else
    bench.look()
    told = ask("GET", off, "revisions/").json()["items"]
    Operation.objects.update(finished_at="2000-01-01T00:00Z")
    assert [(each["number"], each["changes"]) for each in told] == [
        (3, ["network card 52:54:00:00:00:02 network lan → lab"]),
        (2, ["memory 256 → 512 MiB"]),
        (1, None),
    ]
    assert told[1]["author"] == "anna"
    only = ask("GET", off, "revisions/?limit=1&offset=1").json()["items"]
    assert only[0]["changes"] == ["memory 256 → 512 MiB"]


def test_a_version_is_restored_with_todays_name_and_password(
    bench: Bench, off: Guest, ask: Callable[..., Any]
) -> None:
    first = bench.documents(OFF).config
    bench.done(ask("PATCH", off, "", {"memory_bytes": 512 * MIB, "vcpus": 2}))
    bench.done(ask("PATCH", off, "", {"name": "other"}))
    operation = bench.done(ask("POST", off, "revisions/1/restore/"))
    assert bench.documents(OFF).config == first.replace(
        "<name>off</name>", "<name>other</name>"
    )
    assert "passwd='s3cret'" in first
    assert operation.result["changes"] == ["vCPUs 2 → 1", "memory 512 → 256 MiB"]
    assert ask("POST", off, "revisions/99/restore/").status_code == 404


def test_a_version_whose_volume_is_gone_is_not_restored(
    bench: Bench, off: Guest, ask: Callable[..., Any]
) -> None:
    bench.done(ask("DELETE", off, "disks/vda/"))
    volume = Volume.objects.get(path="/pool/off.img")
    Holding.objects.create(host=bench.host, path=volume.path, state="trash")
    said = ask("POST", off, "revisions/1/restore/")
    assert said.status_code == 409
    assert "/pool/off.img" in said.json()["detail"]
    Holding.objects.all().delete()
    volume.delete()
    assert ask("POST", off, "revisions/1/restore/").status_code == 409


def test_what_waits_for_the_next_start_is_shown_and_revoked(
    bench: Bench, web: Guest, ask: Callable[..., Any]
) -> None:
    before = bench.documents(WEB).config
    wish = {"memory_bytes": 1024 * MIB, "vcpus": 4, "boot": ["vda", "hda"]}
    bench.done(ask("PATCH", web, "", wish | {"cpu": "host-passthrough"}))
    bench.done(ask("DELETE", web, "disks/hda/?when=next-start"))
    bench.done(ask("PATCH", web, "nics/52:54:00:00:00:01/", {"network": "lab"}))
    told = ask("GET", web, "pending/").json()
    assert told["changes"] == [
        "vCPUs 2 → 4",
        "memory 512 MiB → 1 GiB",
        "boots from hd → vda",
        "processor none → host-passthrough",
        "CD drive hda removed",
        "network card 52:54:00:00:00:01 network lan → lab",
    ]
    assert "+      <source network='lab'/>" in told["diff"]
    web.refresh_from_db()
    assert web.differs
    operation = bench.done(ask("POST", web, "pending/revoke/"))
    assert bench.documents(WEB).config == before
    assert "CD drive hda" in operation.message
    assert ask("GET", web, "pending/").json()["changes"] == []
    assert ask("POST", web, "pending/revoke/").status_code == 409
    web.refresh_from_db()
    assert not web.differs


def test_an_admin_writes_xml(bench: Bench, off: Guest, program: Client) -> None:
    read = program.get(f"/api/v1/guests/{off.pk}/xml/?inactive=true")
    xml = read.content.decode().replace("<vcpu placement='static'>1", "<vcpu>3")
    assert "passwd" not in xml
    operation = bench.done(put(program, off, xml, read["ETag"]))
    assert operation.result["changes"] == ["vCPUs 1 → 3"]
    doc = bench.documents(OFF).config
    assert Domain.parse(doc).vcpus == 3
    assert "passwd='s3cret'" in doc
    assert "s3cret" not in str(operation.params)


def test_xml_made_from_an_old_version_is_refused(
    bench: Bench, off: Guest, program: Client, ask: Callable[..., Any]
) -> None:
    read = program.get(f"/api/v1/guests/{off.pk}/xml/")
    bench.done(ask("PATCH", off, "", {"vcpus": 2}))
    said = put(program, off, read.content.decode(), read["ETag"])
    assert said.status_code == 409
    assert "somebody else" in said.json()["detail"]
    # And where our rows have not heard of it yet, the worker finds out.
    read = program.get(f"/api/v1/guests/{off.pk}/xml/")
    answer = put(program, off, read.content.decode(), read["ETag"])
    bench.run(
        changes.define, bench.documents(OFF).config.replace(">2<", ">3<"), uuid=OFF
    )
    operation = bench.perform(answer)
    assert operation.state == "failed"
    assert "somebody else" in operation.error_message
    assert Domain.parse(bench.documents(OFF).config).vcpus == 3


def test_xml_that_cannot_be_is_refused_before_a_host_reads_it(
    bench: Bench, off: Guest, program: Client
) -> None:
    xml = program.get(f"/api/v1/guests/{off.pk}/xml/").content.decode()
    before = bench.documents(OFF).config
    for wrong in (
        "",
        "no xml",
        "<domain/>",
        "<network/>",
        xml.replace(">1</vcpu>", ">-1</vcpu>"),
        xml.replace(str(OFF), str(WEB)),
        xml.replace("<name>off", "<name>of"),
        f"<!DOCTYPE d [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>{xml}",
    ):
        said = put(program, off, wrong)
        assert said.status_code == 422, (wrong[:80], said.content)
    operation = bench.perform(put(program, off, xml.replace("<vcpu", "<odd/><vcpu")))
    assert operation.error_code == "invalid"
    assert bench.documents(OFF).config == before


def test_what_is_near_to_root_needs_a_right_of_its_own(
    bench: Bench, off: Guest, program: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kvmweb.accounts import gate

    xml = program.get(f"/api/v1/guests/{off.pk}/xml/").content.decode()
    admins = gate._RIGHTS["admin"] - {gate.Right.HOST_DEVICES}
    monkeypatch.setitem(gate._RIGHTS, "admin", admins)
    disk = (
        "<disk type='file' device='disk'><source file='{}'/><target dev='vdz'/></disk>"
    )
    for device, named in (
        (disk.format("/etc/shadow"), "/etc/shadow"),
        (
            "<filesystem type='mount'><source dir='/'/><target dir='r'/></filesystem>",
            "/",
        ),
        ("<emulator>/tmp/mine</emulator>", "/tmp/mine"),
        ("<serial type='file'><source path='/srv/x'/></serial>", "/srv/x"),
        (
            "<hostdev mode='subsystem' type='usb'><source><vendor id='0x1'/></source></hostdev>",
            "hostdev",
        ),
    ):
        said = put(program, off, xml.replace("<devices>", f"<devices>{device}"))
        assert said.status_code == 403, (device, said.content)
        assert named in said.json()["detail"]
    fine = xml.replace("<devices>", f"<devices>{disk.format('/pool/spare.qcow2')}")
    assert put(program, off, fine).status_code == 202


def test_what_libvirt_makes_of_it_is_judged_too(bench: Bench, off: Guest) -> None:
    from kvmweb.errors import Forbidden

    before = bench.documents(OFF).config
    xml = before.replace("<devices>", f"<devices>{EMULATOR}")
    with pytest.raises(Forbidden, match="/tmp/mine"):
        bench.run(changes.define, xml, uuid=OFF, allowed=(), pools=("/pool",))
    assert bench.documents(OFF).config == before


def test_a_browser_shows_its_password_again_first(
    bench: Bench, off: Guest, as_admin: Client, admin: Any
) -> None:
    xml = as_admin.get(f"/api/v1/guests/{off.pk}/xml/").content.decode()
    assert put(as_admin, off, xml).status_code == 403
    browser = Client()
    browser.post("/login/", {"username": "anna", "password": "a long enough word"})
    assert put(browser, off, xml).status_code == 202


def test_what_was_made_elsewhere_stays_as_it_was(
    bench: Bench, web: Guest, ask: Callable[..., Any]
) -> None:
    bench.done(ask("PATCH", web, "", {"memory_bytes": 256 * MIB}))
    assert "urn:their" in bench.documents(WEB).config
    assert "keep me" in bench.documents(WEB).config
    bench.run(domains.force_off, WEB)
    assert Revision.objects.filter(guest=WEB).count() == 2
    assert Pool.objects.count() == 1
