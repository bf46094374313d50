"""Volumes are made and copied, and no name or number that is odd reaches a host."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from kvmweb.errors import Conflict, Invalid, NotFound
from kvmweb.virt import chains, connection, storage, volumes
from kvmweb.virt.connection import Host
from kvmweb.virt.types import Address, Transport, VolumeFacts

HOST_XML = Path(__file__).parents[1] / "data/virt/host.xml"
POOL = UUID("33333333-3333-4333-8333-333333333333")


@pytest.fixture
def host() -> Iterator[Host]:
    """A host of its own for each test."""
    address = Address(Transport.TEST, socket_path=str(HOST_XML))
    with connection.connect(address, fresh=True) as connected:
        yield connected


def create(host: Host, name: str = "new.qcow2", **about: Any) -> VolumeFacts:
    plain: dict[str, Any] = {"format": "qcow2", "capacity_bytes": 4 << 20}
    return host.run(volumes.create, POOL, name, **plain | about)


def names(host: Host) -> set[str]:
    (pool,) = host.run(storage.look)
    return {volume.name for volume in pool.volumes}


def test_a_volume_is_made(host: Host) -> None:
    made = create(host, capacity_bytes=12345678)
    assert (made.path, made.format) == ("/pool/new.qcow2", "qcow2")
    assert made.capacity_bytes == 12345678
    assert "new.qcow2" in names(host)


def test_one_stands_on_another(host: Host) -> None:
    made = create(host, backing_path="/pool/clone.qcow2", backing_format="qcow2")
    assert made.backing_path == "/pool/clone.qcow2"
    with pytest.raises(Conflict, match=r"new.qcow2 stands on it"):
        host.run(storage.delete_volume, "/pool/clone.qcow2")


def test_a_name_that_is_taken(host: Host) -> None:
    with pytest.raises(Conflict, match=r"has a volume web.qcow2 already"):
        create(host, "web.qcow2")
    with pytest.raises(Conflict, match="already"):
        host.run(
            volumes.clone,
            POOL,
            "web.qcow2",
            source_path="/pool/named.img",
            format="raw",
        )


@pytest.mark.parametrize(
    "name", ["", "-rf", ".hidden", "a/b", "../x", "a b", "a;b", "ä", "a\n", "x" * 202]
)
def test_a_name_that_is_odd_reaches_nobody(host: Host, name: str) -> None:
    before = names(host)
    with pytest.raises(Invalid, match="letters, digits"):
        create(host, name)
    assert names(host) == before


@pytest.mark.parametrize(
    "about",
    [
        {"capacity_bytes": 0},
        {"capacity_bytes": -1},
        {"capacity_bytes": 2**53 + 1},
        {"format": "vdi"},
        {"format": "raw", "backing_path": "/pool/golden.qcow2"},
        {"backing_path": "/pool/golden.qcow2"},  # its format would be guessed
        {"backing_path": "golden.qcow2", "backing_format": "qcow2"},
        {"backing_path": "/pool/golden.qcow2", "backing_format": "auto"},
    ],
)
def test_what_makes_no_sense_reaches_nobody(host: Host, about: dict[str, Any]) -> None:
    before = names(host)
    with pytest.raises(Invalid):
        create(host, **about)
    assert names(host) == before


def test_a_full_copy(host: Host) -> None:
    made = host.run(
        volumes.clone,
        POOL,
        "copy.img",
        source_path="/pool/named.img",
        source_format="raw",
        format="raw",
    )
    assert made.capacity_bytes == 1048576
    with pytest.raises(NotFound):
        host.run(volumes.clone, POOL, "x", source_path="/pool/no", format="raw")


def test_what_a_guest_wrote_into_its_raw_disk_is_not_believed(host: Host) -> None:
    """To libvirt it is qcow2, because its first bytes say so; we know that it is raw."""
    with pytest.raises(Conflict, match="its guest may have written them"):
        host.run(chains.need_harmless, "/pool/base.qcow2", "raw")
    with pytest.raises(Conflict, match="its guest may have written them"):
        host.run(
            volumes.clone,
            POOL,
            "copy.img",
            source_path="/pool/base.qcow2",
            source_format="raw",
            format="raw",
        )
    assert "copy.img" not in names(host)


def test_what_stands_on_no_volume_is_not_opened(host: Host) -> None:
    create(host, backing_path="/etc/shadow", backing_format="raw")
    with pytest.raises(NotFound, match="/etc/shadow"):
        host.run(chains.need_harmless, "/pool/new.qcow2", "qcow2")


def test_what_was_begun_is_discarded_and_gone_is_fine(host: Host) -> None:
    create(host)
    host.run(volumes.discard, "/pool/new.qcow2")
    assert "new.qcow2" not in names(host)
    host.run(volumes.discard, "/pool/new.qcow2")


def test_a_volume_is_emptied_or_made(host: Host) -> None:
    for name in ("named.img", "fresh.img"):
        made = host.run(volumes.empty, POOL, name, capacity_bytes=512)
        assert made.capacity_bytes == 512
        assert name in names(host)


def test_a_running_guests_disk_does_not_grow_below_it(host: Host) -> None:
    with pytest.raises(Conflict, match="web runs with it"):
        host.run(volumes.grow, "/pool/web.qcow2", 1 << 30)
    with pytest.raises(NotFound):
        host.run(volumes.grow, "/pool/no", 1 << 30)
