"""Volumes of a host of libvirt's test driver: seen, found and asked for."""

from typing import Any

from hosts.models import Host, Volume
from hosts.recorders import tell
from hosts.services import address_of
from kvmweb.virt import connection, storage


def look(host: Host) -> None:
    """What the watcher does when its host has news."""
    with connection.connect(address_of(host)) as there:
        tell("pools", host, there.run(storage.look))


def home(host: Host) -> str:
    """Where the volumes of its only pool are listed and asked for."""
    return f"/api/v1/pools/{host.pools.get().pk}/volumes/"


def ask(client: Any, path: str, **body: Any) -> Any:
    """What the API answers to this POST."""
    return client.post(path, body, content_type="application/json")


def named(host: Host, name: str) -> Volume:
    """The row of a volume of this host."""
    return Volume.objects.select_related("pool__host").get(pool__host=host, name=name)
