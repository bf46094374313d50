"""A guest as API answers and live messages say it: one shape for both."""

from collections.abc import Iterable
from typing import Any

from django.urls import reverse

from guests.models import Guest, Twin
from guests.queries import Place, Volumes, active_operations
from hosts.json import moment
from kvmweb.accounts.gate import sees_all
from kvmweb.accounts.models import User
from kvmweb.operations.models import Operation


def guest_json(guest: Guest) -> dict[str, Any]:
    """One guest, whole. Three queries beside those for its host, owner and project."""
    return guests_json([guest])[0]


def guests_json(guests: Iterable[Guest]) -> list[dict[str, Any]]:
    """Guests, whole, in their order; three queries however many there are.

    Hosts, owners and projects are to be loaded already. For those who see every guest: what
    others may read of it is `for_user`.
    """
    rows = list(guests)
    volumes = Volumes(rows)
    operations = active_operations([each.pk for each in rows])
    twins = _twins(rows)
    return [
        _guest(each, volumes, operations.get(each.pk), twins.get(each.pk, []))
        for each in rows
    ]


def for_user(data: dict[str, Any], user: User) -> dict[str, Any]:
    """The same guest without what this person may not know: where it runs."""
    if sees_all(user):
        return data
    return data | {
        "host": None,
        "host_name": "",
        "twins": [],
        "disks": [disk | {"path": ""} for disk in data["disks"]],
        "problem": "",
    }


def _twins(guests: list[Guest]) -> dict[Any, list[dict[str, Any]]]:
    rows = Twin.objects.filter(guest__in=[each.pk for each in guests])
    found: dict[Any, list[dict[str, Any]]] = {}
    for twin in rows.select_related("host").only(
        "guest", "state", "moving", "seen_at", "host__name"
    ):
        said = {
            "host": twin.host_id,
            "host_name": twin.host.name,
            "state": twin.state,
            "moving": twin.moving,
            "seen_at": moment(twin.seen_at),
        }
        found.setdefault(twin.guest_id, []).append(said)
    return found


def _guest(
    guest: Guest,
    volumes: Volumes,
    operation: Operation | None,
    twins: list[dict[str, Any]],
) -> dict[str, Any]:
    return {
        "uuid": str(guest.pk),
        "name": guest.name,
        "host": guest.host_id,
        "host_name": guest.host.name if guest.host else "",
        "project": guest.project_id,
        "project_name": guest.project.name if guest.project else "",
        "owner": guest.owner.username if guest.owner else None,
        "url": f"/api/v1/guests/{guest.pk}/",
        "page": reverse("guest", args=[guest.pk]),
        **_state(guest),
        **_machine(guest),
        "ip_addresses": guest.addresses.split(),
        "disks": [
            _disk(disk, volumes.find(guest.host_id, disk)) for disk in guest.disks
        ],
        "nics": [_nic(nic) for nic in guest.nics],
        "screens": [each["kind"] for each in guest.graphics],
        "serial": guest.serial,
        "agent": guest.agent,
        "snapshots": guest.snapshots,
        "active_operation": _operation(operation) if operation else None,
        "tags": guest.tags,
        "title": guest.title,
        "description": guest.description,
        "protected": guest.protected,
        "template": guest.template,
        "conflict": any(not each["moving"] for each in twins),
        "twins": twins,
        "problem": guest.problem,
    }


def _state(guest: Guest) -> dict[str, Any]:
    return {
        "state": guest.state,
        "state_reason": guest.state_reason,
        "state_since": moment(guest.state_since),
        "known_state": guest.known_state,
        "seen_at": moment(guest.seen_at),
        "first_seen_at": moment(guest.first_seen_at),
        "started_at": moment(guest.started_at),
        "autostart": guest.autostart,
        "persistent": guest.persistent,
        "managed_save": guest.managed_save,
        "differs": guest.differs,
    }


def _machine(guest: Guest) -> dict[str, Any]:
    return {
        "vcpus": guest.vcpus,
        "vcpus_max": guest.vcpus_max,
        "memory_bytes": guest.memory_bytes,
        "memory_max_bytes": guest.memory_max_bytes,
        "virt_type": guest.virt_type,
        "os": guest.os,
        "firmware": guest.firmware,
        "machine": guest.machine,
        "arch": guest.arch,
    }


def _disk(disk: dict[str, Any], place: Place | None) -> dict[str, Any]:
    capacity = disk["capacity_bytes"]
    return {
        "target": disk["target"],
        "device": disk["device"],
        "bus": disk["bus"],
        "pool": place.pool if place else disk["pool"] or None,
        "volume": place.volume if place else disk["volume"] or None,
        "path": disk["path"] or (place.path if place else ""),
        "capacity_bytes": place.capacity_bytes if place else capacity,
        "format": disk["format"],
        "readonly": disk["readonly"],
        "shareable": disk["shareable"],
    }


def _nic(nic: dict[str, Any]) -> dict[str, Any]:
    return {
        "mac": nic["mac"],
        "network": nic["network"],
        "kind": nic["kind"],
        "model": nic["model"],
        "target": nic["target"],
        "link_up": nic["link_up"],
        "ip_addresses": [each["address"] for each in nic["addresses"]],
    }


def _operation(operation: Operation) -> dict[str, Any]:
    return {
        "id": str(operation.pk),
        "kind": operation.kind,
        "state": operation.state,
        "progress": operation.progress,
        "phase": operation.phase,
        "requested_by": operation.author or None,
    }
