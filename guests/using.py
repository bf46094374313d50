"""Which guests use which volumes, told to hosts.storage."""

from typing import Any

from django.db.models import Q
from django.urls import reverse

from guests.models import Guest, Twin
from hosts.storage.users import Asked, User, users
from kvmweb.virt.types import DomainState


@users
def guests(asked: Asked) -> dict[str, list[User]]:
    """The guests, and their twins, that use these paths now or at their next start."""
    found: dict[str, list[User]] = {path: [] for path in asked.called}
    plain = {path: {path} for path in asked.called}
    for user, host_id, uses in _all(asked):
        called = asked.called if host_id in asked.hosts else plain
        for path, names in called.items():
            if not uses.isdisjoint(names):
                found[path].append(user)
    return found


def _all(asked: Asked) -> list[tuple[User, int | None, set[str]]]:
    there = Q(host__in=asked.hosts) if asked.alone else ~Q(host__in=asked.different)
    rows = (
        Guest.objects.filter(there)
        .exclude(state=DomainState.GONE)
        .only("name", "host", "uses")
    )
    told = [(_user(row.pk, row.name), row.host_id, set(row.uses)) for row in rows]
    twins = Twin.objects.filter(there)
    for twin in twins.only("name", "guest", "facts", "host").select_related("host"):
        page = reverse("guest", args=[twin.guest_id])
        user = User(f"{twin.name} on {twin.host.name}", page=page)
        told.append((user, twin.host_id, _uses(twin.facts.get("disks", []))))
    return told


def _user(uuid: Any, name: str) -> User:
    return User(name, str(uuid), reverse("guest", args=[uuid]))


def _uses(disks: list[dict[str, Any]]) -> set[str]:
    told = {disk["path"] for disk in disks if disk["path"]}
    return told | {
        f"{disk['pool']}/{disk['volume']}" for disk in disks if disk["volume"]
    }
