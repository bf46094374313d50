"""The canary's kernel on the hosts: put into a storage pool of each, and taken away."""

from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from deploy import demo
from guests.canary.models import Canary
from hosts.models import Host, Pool
from hosts.services import address_of
from hosts.storage import holdings
from hosts.storage.places import path_of
from kvmweb.errors import Conflict, Unavailable
from kvmweb.operations.run import Run
from kvmweb.virt import connection, streams, volumes

_PARTS = ("kernel", "initrd")


@dataclass(frozen=True, slots=True)
class Nest:
    """Where one host has the canary's parts."""

    kernel: str
    initrd: str


def parts() -> tuple[Path, Path]:
    """The kernel and the initial RAM disk here. Raises Unavailable."""
    try:
        return demo.parts(settings.DATA_DIR)
    except demo.DemoError as error:
        raise Unavailable(f"The canary cannot be made: {error}") from error


def build(run: Run, canary: Canary, host: Host) -> Nest:
    """Put both parts into a pool of this host. Raises Conflict where there is none."""
    _mark(canary, host)
    pool = _pool(host)
    paths = []
    for word, part in zip(_PARTS, parts(), strict=True):
        data, name = part.read_bytes(), _name(canary, host, word)
        path = path_of(pool, name)
        holdings.building(host, path, run.operation)
        with connection.connect(address_of(host)) as there:
            there.run(volumes.discard, path)  # of an attempt that was interrupted
            there.run(
                volumes.create, pool.uuid, name, format="raw", capacity_bytes=len(data)
            )
            there.run(streams.write, path, data)
        paths.append(path)
    return Nest(*paths)


def clear(canary: Canary, host: Host) -> None:
    """Take its parts away from this host; what is gone is gone. Raises HostError."""
    with connection.connect(address_of(host)) as there:
        for pool in Pool.objects.filter(host=host, active=True, type="dir"):
            for word in _PARTS:
                path = path_of(pool, _name(canary, host, word))
                there.run(volumes.discard, path)
                holdings.forget(host, path)


def _mark(canary: Canary, host: Host) -> None:
    """Write down that there may be something of it there, before there is."""
    if host.pk not in canary.hosts:
        canary.hosts = [*canary.hosts, host.pk]
        canary.save(update_fields=["hosts"])


def _name(canary: Canary, host: Host, word: str) -> str:
    """Of its own on each host: pools of two hosts may be one directory."""
    return f"{canary.name}-{host.pk}-{word}"


def _pool(host: Host) -> Pool:
    """The first active directory with room, "default" before others."""
    needed = sum(part.stat().st_size for part in parts())
    rows = Pool.objects.filter(
        host=host, type="dir", active=True, available_bytes__gt=2 * needed
    )
    found = sorted(rows, key=lambda pool: (pool.name != "default", pool.name))
    if not found:
        raise Conflict(
            f"{host.name} has no active directory pool with room for the canary's kernel."
        )
    return found[0]
