"""Clones on real hosts: whole, with an identity of their own, or not there at all."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from deploy.lab import Lab
from deploy.lab_host import LabHost
from guests.cloning import making, services, templates
from guests.cloning.services import Wish
from guests.models import Guest
from guests.services import act
from hosts.models import Host
from hosts.storage.models import Holding
from kvmweb.accounts.models import User
from kvmweb.errors import Conflict
from kvmweb.operations.models import Operation
from tests.lab import seeing

pytestmark = [
    pytest.mark.lab,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("no_warm_children"),
]
IMAGES = "/var/lib/libvirt/images"


@pytest.fixture
def original(kvm: LabHost, home: Host) -> Iterator[Guest]:
    """A guest that is off, with a disk and a card; it goes with all its clones."""
    uuid = kvm.define_demo("web", running=False, disk_mib=16)
    kvm.virsh("pool-refresh", "default")
    seeing.look(home)
    yield Guest.objects.select_related("host").get(pk=uuid)
    take_away(kvm)


def take_away(kvm: LabHost) -> None:
    """Every guest whose name begins with web, and all their files."""
    for name in kvm.virsh("list", "--all", "--name").split():
        if name.startswith("web"):
            if kvm.virsh("domstate", name) != "shut off":
                kvm.virsh("destroy", name)
            kvm.virsh("undefine", name, "--managed-save", "--nvram")
    for path in Path(kvm.root, IMAGES[1:]).glob("web*"):
        path.unlink()


@pytest.fixture(autouse=True)
def _seen_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No watcher runs here: whoever waits for a row looks by itself."""

    def look_then(find: Callable[[], Any], **_about: Any) -> Any:
        for host in Host.objects.all():
            seeing.look(host)
        found = find()
        assert found is not None
        return found

    monkeypatch.setattr(making, "until_row", look_then)


def cloned(source: Guest, wish: Wish, by: User) -> list[Operation]:
    """The operations that make the clones, done."""
    source = seeing.fresh(source)
    asked = services.clone(source, wish, by=by)
    made = list(Operation.objects.filter(parent=asked)) or [asked]
    return [seeing.performed(each) for each in made]


def test_a_full_clone_runs_beside_its_original(
    kvm: LabHost, home: Host, original: Guest, admin: User
) -> None:
    kvm.run("qemu-io", "-f", "qcow2", "-c", "write -q -P 7 0 1M", f"{IMAGES}/web.qcow2")
    (made,) = cloned(original, Wish("web-2", start=True), admin)
    assert made.state == "succeeded", made.error_message
    twin = Guest.objects.get(pk=made.result["guest"])
    assert (twin.name, twin.state, twin.owner) == ("web-2", "running", admin)
    assert not Holding.objects.filter(state=Holding.State.BUILDING).exists()
    kvm.virsh("start", "web")  # the two share nothing
    seeing.look(home)
    ours, theirs = seeing.fresh(original), seeing.fresh(twin)
    assert ours.state == theirs.state == "running"
    assert ours.nics[0]["mac"] != theirs.nics[0]["mac"]
    assert ours.disks[0]["path"] != theirs.disks[0]["path"]
    path = theirs.disks[0]["path"]
    assert "<backingStore>" not in kvm.virsh("vol-dumpxml", path)
    kvm.virsh("destroy", "web-2")
    said = kvm.run("qemu-io", "-r", "-f", "qcow2", "-c", "read -P 7 0 1M", path)
    assert "verification failed" not in said


def test_a_linked_clone_stands_on_a_template_that_never_starts(
    kvm: LabHost, home: Host, original: Guest, admin: User
) -> None:
    with pytest.raises(Conflict, match="no template"):
        services.clone(original, Wish("web-2", linked=True), by=admin)
    templates.to_template(original, by=admin)
    (first,) = cloned(original, Wish("web-2", linked=True, start=True), admin)
    assert first.state == "succeeded", first.error_message
    xml = kvm.virsh("dumpxml", "web-2")
    assert re.search(r"<backingStore type='file'[^>]*>\s*<format", xml)
    template = seeing.fresh(original)
    with pytest.raises(Conflict, match="never started"):
        act(template, "start", by=admin)
    with pytest.raises(Conflict, match="Linked clones stand"):
        templates.to_guest(template, by=admin)
    several = cloned(original, Wish("web-s", linked=True, count=2), admin)
    assert [each.state for each in several] == ["succeeded", "succeeded"]
    assert {each.guest_name for each in several} == {"web-s-01", "web-s-02"}
    macs = {nic["mac"] for guest in Guest.objects.all() for nic in guest.nics}
    assert len(macs) == 4


def test_the_original_is_held_until_its_copy_is_whole(
    home: Host, original: Guest, admin: User
) -> None:
    services.clone(original, Wish("web-2"), by=admin)
    with pytest.raises(Conflict, match="clone"):
        act(seeing.fresh(original), "start", by=admin)


def test_a_clone_goes_to_another_host(
    lab: Lab, home: Host, original: Guest, admin: User
) -> None:
    there = lab.hosts[1]
    other = seeing.home_of(there, "kvm2")
    seeing.look(other)
    try:
        (made,) = cloned(original, Wish("web-2", host=other.pk), admin)
        assert made.state == "succeeded", made.error_message
        assert "web-2" in there.virsh("list", "--all", "--name")
        assert "qcow2" in there.virsh("dumpxml", "web-2")
        here = lab.hosts[0].run("sha256sum", f"{IMAGES}/web.qcow2").split()[0]
        copy = there.run("sha256sum", f"{IMAGES}/web-2.vda.qcow2").split()[0]
        assert here == copy
    finally:
        take_away(there)


def test_a_clone_that_cannot_start_leaves_nothing(
    kvm: LabHost, home: Host, original: Guest, admin: User
) -> None:
    xml = kvm.virsh("dumpxml", "web", "--inactive")
    path = kvm.root / "broken.xml"
    path.write_text(re.sub(r"<kernel>.*</kernel>", "<kernel>/nowhere</kernel>", xml))
    kvm.virsh("define", str(path))
    seeing.look(home)
    (made,) = cloned(original, Wish("web-2", start=True), admin)
    assert made.state == "failed"
    assert "Nothing of it is left" in made.error_message
    assert "web-2" not in kvm.virsh("list", "--all", "--name")
    assert not list(Path(kvm.root, IMAGES[1:]).glob("web-2*"))
    assert not Holding.objects.filter(path__contains="web-2").exists()


def test_half_a_clone_of_a_dead_worker_is_taken_away_and_made_anew(
    kvm: LabHost, home: Host, original: Guest, admin: User
) -> None:
    templates.to_template(original, by=admin)
    asked = services.clone(seeing.fresh(original), Wish("web-2", linked=True), by=admin)
    half = f"{IMAGES}/web-2.vda.qcow2"
    kvm.virsh("vol-create-as", "default", "web-2.vda.qcow2", "1M", "--format", "qcow2")
    Holding.objects.create(host=home, path=half, state="building", operation=asked.pk)
    Operation.objects.filter(pk=asked.pk).update(
        state=Operation.State.RUNNING,
        worker="gone:1:dead",
        attempts=1,
        lease_until=timezone.now() - timedelta(minutes=1),
        result={"begun": True, "made": {"volumes": [half], "domain": ""}},
    )
    asked.refresh_from_db()
    done = seeing.performed(asked)
    assert done.state == "succeeded", done.error_message
    twin = Guest.objects.get(pk=UUID(done.result["guest"]))
    assert twin.disks[0]["path"] == half
    volume = kvm.virsh("vol-dumpxml", "--pool", "default", "web-2.vda.qcow2")
    assert "<backingStore>" in volume
