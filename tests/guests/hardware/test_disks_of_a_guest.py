"""Disks and CDs of a guest: added, grown, handled otherwise, taken out."""

from collections.abc import Callable
from typing import Any

import pytest

from guests.hardware import disk_work
from guests.models import Guest
from hosts.models import Volume
from hosts.storage import making
from hosts.storage.models import Holding
from kvmweb.virt import changes, storage, volumes
from kvmweb.virt.xml.domain import Domain
from tests.guests.hardware.conftest import OFF, WEB, Bench

MIB = 1024**2


@pytest.fixture(autouse=True)
def watched(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for a row makes the watcher look first."""
    plain = making.until_row

    def looking(find: Callable[[], Any], **about: Any) -> Any:
        bench.look()
        return plain(find, **about)

    monkeypatch.setattr(making, "until_row", looking)
    monkeypatch.setattr(disk_work, "until_row", looking)


def config(bench: Bench, guest: Guest) -> Domain:
    """What the guest starts with next."""
    return Domain.parse(bench.documents(guest.pk).config)


def test_a_new_disk_is_a_new_volume(
    bench: Bench, off: Guest, ask: Callable[..., Any]
) -> None:
    operation = bench.done(ask("POST", off, "disks/", {"size_bytes": 8 * MIB}))
    [_, disk, _] = config(bench, off).disks
    volume = Volume.objects.get(pk=operation.result["volume"])
    assert (volume.name, volume.capacity_bytes) == ("off-vdb.qcow2", 8 * MIB)
    assert (disk.target, disk.bus, disk.file) == ("vdb", "virtio", volume.path)
    assert (disk.format, disk.discard) == ("qcow2", "unmap")
    assert not Holding.objects.exclude(state="ready").exists()
    off.refresh_from_db()
    assert volume.path in off.uses


def test_a_volume_that_is_there_becomes_a_disk_once(
    bench: Bench, off: Guest, web: Guest, ask: Callable[..., Any]
) -> None:
    spare = Volume.objects.get(name="spare.qcow2")
    wish = {"volume": spare.pk, "bus": "sata", "cache": "none", "io": "native"}
    bench.done(ask("POST", off, "disks/", wish))
    disk = config(bench, off).disks[2]
    assert (disk.target, disk.bus, disk.cache) == ("sda", "sata", "none")
    said = ask("POST", web, "disks/", {"volume": spare.pk})
    assert said.status_code == 409
    assert "off" in said.json()["detail"]


def test_a_volume_that_is_not_ready_is_refused(
    bench: Bench, off: Guest, ask: Callable[..., Any]
) -> None:
    spare = Volume.objects.get(name="spare.qcow2")
    for state in ("building", "trash"):
        Holding.objects.update_or_create(
            host=bench.host, path=spare.path, defaults={"state": state}
        )
        said = ask("POST", off, "disks/", {"volume": spare.pk})
        assert said.status_code == 409, said.content


def test_a_wish_that_cannot_be_is_refused_before_anything_happens(
    bench: Bench, off: Guest, ask: Callable[..., Any]
) -> None:
    for wish, field in (
        ({}, "size_bytes"),
        ({"size_bytes": -1}, "size_bytes"),
        ({"size_bytes": 2**60}, "size_bytes"),
        ({"size_bytes": 8 * MIB, "volume": 1}, "size_bytes"),
        ({"size_bytes": 8 * MIB, "bus": "nvme"}, "bus"),
        ({"size_bytes": 8 * MIB, "format": "vmdk"}, "format"),
        ({"size_bytes": 8 * MIB, "pool": "nowhere"}, "pool"),
        ({"size_bytes": 8 * MIB, "name": "-rf"}, "name"),
        ({"size_bytes": 8 * MIB, "name": "off.img"}, "name"),
        ({"size_bytes": 8 * MIB, "io": "native"}, "io"),
        ({"volume": 2**40}, "volume"),
        ({"volume": "/etc/passwd"}, "volume"),
    ):
        said = ask("POST", off, "disks/", wish)
        assert said.status_code == 422, (wish, said.content)
        assert field in said.json()["errors"], (wish, said.content)
    assert len(config(bench, off).disks) == 2


def test_a_running_guest_gets_it_at_its_next_start_where_the_host_cannot_plug(
    bench: Bench, web: Guest, ask: Callable[..., Any]
) -> None:
    operation = bench.done(ask("POST", web, "disks/", {"size_bytes": 8 * MIB}))
    assert operation.result["at_next_start"]
    assert "at its next start" in operation.message
    assert len(Domain.parse(bench.documents(WEB).live).disks) == 2
    assert len(config(bench, web).disks) == 3
    pending = ask("GET", web, "pending/").json()
    assert pending["changes"] == ["disk vdb added, 8 MiB"]


def test_a_volume_of_a_disk_that_was_refused_is_taken_away_again(
    bench: Bench, off: Guest, ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = ask("POST", off, "disks/", {"size_bytes": 8 * MIB})
    xml = bench.documents(OFF).config.replace("dev='hda'", "dev='vdb'")
    bench.run(changes.define, xml.replace("bus='ide'", "bus='virtio'"), uuid=OFF)
    operation = bench.perform(answer)
    assert operation.state == "failed"
    assert "another disk vdb" in operation.error_message
    assert bench.run(storage.look_volume, "/pool/off-vdb.qcow2") is None
    assert not Holding.objects.exists()


def test_a_disk_grows(bench: Bench, off: Guest, ask: Callable[..., Any]) -> None:
    smaller = ask("PATCH", off, "disks/vda/", {"size_bytes": 1024})
    assert smaller.status_code == 422
    # The test driver cannot resize; that the right volume is asked for is what counts.
    operation = bench.perform(ask("PATCH", off, "disks/vda/", {"size_bytes": 8 * MIB}))
    assert operation.kind == "guest.disk-grow"
    assert operation.error_code == "unsupported"
    assert "/pool/off.img" in operation.error_message


def test_how_a_disk_is_handled_changes_nothing_else(
    bench: Bench, web: Guest, ask: Callable[..., Any]
) -> None:
    before = bench.documents(WEB).config
    wish = {"cache": "writeback", "limits": {"total_iops": 100}}
    operation = bench.done(ask("PATCH", web, "disks/vda/", wish))
    assert operation.result["at_next_start"]
    after = bench.documents(WEB).config
    disk = Domain.parse(after).disks[0]
    assert (disk.cache, disk.iotune and disk.iotune.total_iops) == ("writeback", 100)
    undone = after.replace(" cache='writeback'", "").replace(
        "      <iotune>\n        <total_iops_sec>100</total_iops_sec>\n      </iotune>\n",
        "",
    )
    assert undone == before
    wish = {"cache": "", "limits": {}}
    bench.done(ask("PATCH", web, "disks/vda/", wish))
    assert bench.documents(WEB).config == before


def test_a_disk_is_taken_out_and_its_volume_stays(
    bench: Bench, off: Guest, ask: Callable[..., Any]
) -> None:
    bench.done(ask("DELETE", off, "disks/vda/"))
    assert [disk.target for disk in config(bench, off).disks] == ["hda"]
    assert bench.run(storage.look_volume, "/pool/off.img")
    assert ask("DELETE", off, "disks/vda/").status_code == 404


def test_a_disk_is_taken_out_and_its_volume_goes_into_the_trash(
    bench: Bench, off: Guest, ask: Callable[..., Any]
) -> None:
    operation = bench.done(ask("DELETE", off, "disks/vda/?volume=delete"))
    assert "in the trash" in operation.message
    assert Holding.objects.get(path="/pool/off.img").state == "trash"
    assert bench.run(storage.look_volume, "/pool/off.img")


def test_a_volume_that_somebody_else_uses_is_not_deleted_with_its_disk(
    bench: Bench, off: Guest, web: Guest, ask: Callable[..., Any]
) -> None:
    xml = bench.documents(WEB).config.replace("/pool/setup.iso", "/pool/off.img")
    bench.run(changes.define, xml, uuid=WEB)
    bench.look()
    operation = bench.done(ask("DELETE", off, "disks/vda/?volume=delete"))
    assert "is kept" in operation.message
    assert "web" in operation.message
    assert not Holding.objects.exists()


def test_a_cd_is_changed_and_taken_out(
    bench: Bench, off: Guest, ask: Callable[..., Any]
) -> None:
    iso = Volume.objects.get(name="setup.iso")  # another guest reads it, too
    operation = bench.done(ask("PUT", off, "cdrom/", {"volume": iso.pk}))
    assert "setup.iso is in hda" in operation.message
    drive = config(bench, off).disks[1]
    assert (drive.file, drive.format, drive.readonly) == (iso.path, "raw", True)
    bench.done(ask("PUT", off, "cdrom/", {"volume": None}))
    assert config(bench, off).disks[1].file == ""
    assert ask("PUT", off, "cdrom/", {"volume": "/nope.iso"}).status_code == 422
    assert (
        ask("PUT", off, "cdrom/", {"target": "sdz", "volume": None}).status_code == 404
    )
    disk = Volume.objects.get(name="web.qcow2")
    assert ask("PUT", off, "cdrom/", {"volume": disk.pk}).status_code == 409


def test_a_guest_without_a_cd_drive_gets_one(
    bench: Bench, off: Guest, ask: Callable[..., Any]
) -> None:
    bench.done(ask("DELETE", off, "disks/hda/"))
    assert ask("PUT", off, "cdrom/", {"volume": None}).status_code == 409
    iso = Volume.objects.get(name="rescue.iso")
    bench.done(ask("PUT", off, "cdrom/", {"volume": iso.pk}))
    drive = config(bench, off).disks[1]
    assert (drive.device, drive.file) == ("cdrom", iso.path)
    assert drive.readonly


def test_two_operations_never_need_one_volume_at_once(
    bench: Bench, off: Guest, web: Guest, ask: Callable[..., Any]
) -> None:
    spare = Volume.objects.get(name="spare.qcow2")
    assert ask("POST", off, "disks/", {"volume": spare.pk}).status_code == 202
    from hosts.storage import services
    from kvmweb.errors import Conflict

    with pytest.raises(Conflict, match="needed by"):
        services.delete(spare, by=None)


def test_a_volume_is_shared_only_by_guests_that_all_share_it(
    bench: Bench, off: Guest, web: Guest, ask: Callable[..., Any]
) -> None:
    disk = Volume.objects.get(name="web.qcow2")
    wish = {"volume": disk.pk, "shareable": True}
    assert ask("POST", off, "disks/", wish).status_code == 409
    spare = Volume.objects.get(name="spare.qcow2")
    wish = {"volume": spare.pk, "shareable": True}
    bench.done(ask("POST", off, "disks/", wish))
    assert config(bench, off).disks[1].shareable
    assert ask("POST", web, "disks/", {"volume": spare.pk}).status_code == 409
    assert ask("POST", web, "disks/", wish).status_code == 202


def test_two_guests_that_want_one_volume_at_once_do_not_both_get_it(
    bench: Bench, off: Guest, web: Guest, ask: Callable[..., Any]
) -> None:
    spare = Volume.objects.get(name="spare.qcow2")
    assert ask("POST", off, "disks/", {"volume": spare.pk}).status_code == 202
    said = ask("POST", web, "disks/", {"volume": spare.pk})
    assert said.status_code == 409
    assert "disk add" in said.json()["detail"]


# It takes longer than a heartbeat, which must see its row from another connection.
@pytest.mark.django_db(transaction=True)
def test_a_volume_half_made_when_the_worker_died_is_made_anew(
    bench: Bench, off: Guest, ask: Callable[..., Any]
) -> None:
    from datetime import timedelta

    from django.utils import timezone

    from kvmweb.operations.models import Operation

    answer = ask("POST", off, "disks/", {"size_bytes": 8 * MIB})
    pool = bench.host.pools.get()
    about = {"format": "qcow2", "capacity_bytes": MIB}
    bench.run(volumes.create, pool.uuid, "off-vdb.qcow2", **about)
    Operation.objects.filter(pk=answer.json()["id"]).update(
        state="running",
        worker="gone:1:dead",
        attempts=1,
        result={"begun": True},
        lease_until=timezone.now() - timedelta(minutes=1),
    )
    bench.done(answer)
    made = bench.run(storage.look_volume, "/pool/off-vdb.qcow2")
    assert made.capacity_bytes == 8 * MIB
    assert len(config(bench, off).disks) == 3
