"""Volumes are found, and none that anybody uses is deleted."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from kvmweb.errors import Conflict, NotFound
from kvmweb.virt import connection, domains, storage
from kvmweb.virt.connection import Host
from kvmweb.virt.types import Address, Transport

HOST_XML = Path(__file__).parents[1] / "data/virt/host.xml"
WEB = UUID("11111111-1111-4111-8111-111111111111")
OFF = UUID("22222222-2222-4222-8222-222222222222")
POOL = UUID("33333333-3333-4333-8333-333333333333")


@pytest.fixture
def host() -> Iterator[Host]:
    """A host of its own for each test."""
    address = Address(Transport.TEST, socket_path=str(HOST_XML))
    with connection.connect(address, fresh=True) as connected:
        yield connected


def paths(host: Host) -> list[str]:
    (pool,) = host.run(storage.look)
    return [volume.path for volume in pool.volumes]


def test_pools_and_volumes_are_looked_at(host: Host) -> None:
    (pool,) = host.run(storage.look)
    assert (pool.uuid, pool.name, pool.type, pool.active) == (POOL, "pool", "dir", True)
    assert pool.target == "/pool"
    assert pool.problem == ""
    volumes = {volume.name: volume for volume in pool.volumes}
    web = volumes["web.qcow2"]
    assert (web.format, web.capacity_bytes, web.allocation_bytes) == (
        "qcow2",
        2097152,
        4096,
    )
    assert web.backing_path == "/pool/base.qcow2"
    assert "a;touch x" in volumes


def test_a_volume_is_found_by_its_path(host: Host) -> None:
    volume = host.run(storage.look_volume, "/pool/named.img")
    assert volume is not None
    assert volume.capacity_bytes == 1048576
    assert host.run(storage.look_volume, "/pool/nothing") is None


def test_a_pool_is_refreshed(host: Host) -> None:
    host.run(storage.refresh_pool, POOL)
    with pytest.raises(NotFound):
        host.run(storage.refresh_pool, WEB)


@pytest.mark.parametrize(
    ("path", "user"),
    [
        ("/pool/web.qcow2", WEB),  # a disk of one that runs
        ("/pool/base.qcow2", WEB),  # below it
        ("/pool/named.img", WEB),  # named by pool and volume
        ("/pool/off.img", OFF),  # a disk of one that is off, spelt otherwise
        ("/pool/vmlinuz", OFF),  # a kernel
        ("/pool/before.img", OFF),  # in a snapshot only
        ("/dev/vg-a/off", OFF),  # a logical volume by its other name
        ("ceph/off", OFF),  # a remote image
    ],
)
def test_a_user_is_seen(host: Host, path: str, user: UUID) -> None:
    found = host.run(storage.users_of, (path, "/pool/golden.qcow2"))
    assert [each.uuid for each in found[path]] == [user]
    assert found["/pool/golden.qcow2"] == ()


def test_a_saved_state_is_seen(host: Host) -> None:
    host.run(domains.start, OFF)
    host.run(domains.save, OFF)
    (user,) = host.run(storage.users_of, ("/pool/off.img",))["/pool/off.img"]
    assert (user.name, user.active) == ("off", False)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/pool/web.qcow2", "web uses it"),
        ("/pool/base.qcow2", "web uses it"),
        ("/pool/off.img", "off uses it"),
        ("/pool/before.img", "off uses it"),
        ("/pool/golden.qcow2", "/pool/clone.qcow2 stands on it"),
    ],
)
def test_what_is_used_is_not_deleted(host: Host, path: str, words: str) -> None:
    with pytest.raises(Conflict, match=words):
        host.run(storage.delete_volume, path)
    assert path in paths(host)


def test_its_owner_may_while_it_does_not_run(host: Host) -> None:
    with pytest.raises(Conflict, match="web uses it"):
        host.run(storage.delete_volume, "/pool/web.qcow2", owner=WEB)
    host.run(storage.delete_volume, "/pool/off.img", owner=OFF)
    assert "/pool/off.img" not in paths(host)


def test_what_nobody_uses_is_deleted(host: Host) -> None:
    for path in ("/pool/clone.qcow2", "/pool/golden.qcow2", "/pool/a;touch x"):
        host.run(storage.delete_volume, path)
        assert path not in paths(host)


def test_what_is_not_there_is_not_found(host: Host) -> None:
    with pytest.raises(NotFound):
        host.run(storage.delete_volume, "/pool/nothing")
