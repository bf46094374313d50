"""Hosts and networks as the API and live pages say them."""

from datetime import UTC, datetime
from typing import Any

from hosts.models import Host, Network


def host_json(host: Host) -> dict[str, Any]:
    """The host as CONTRACT shapes it and more; needs a row of `queries.counted`."""
    return {
        "id": host.pk,
        "name": host.name,
        "state": host.shown_state,
        "state_since": moment(host.state_since),
        "error": host.error,
        "hint": host.error_hint,
        "seen_at": moment(host.seen_at),
        "transport": host.transport,
        "address": host.address,
        "port": host.port,
        "username": host.username,
        "socket_path": host.socket_path,
        "migration_address": host.migration_address,
        "maintenance": host.maintenance,
        "tags": host.tags,
        "reserved_memory_bytes": host.reserved_memory_bytes,
        "cpu_overcommit": host.cpu_overcommit,
        "memory_overcommit": host.memory_overcommit,
        "hostname": host.hostname,
        "uuid": str(host.uuid) if host.uuid else None,
        "arch": host.arch,
        "cpu_model": host.cpu_model,
        "cpus": host.cpus,
        "sockets": host.sockets,
        "cores": host.cores,
        "threads": host.threads,
        "cpu_mhz": host.cpu_mhz,
        "memory_bytes": host.memory_bytes,
        "memory_free_bytes": _free(host),
        "numa": host.numa,
        "libvirt_version": host.libvirt_version,
        "hypervisor": host.hypervisor,
        "hypervisor_version": host.hypervisor_version,
        "virt_type": host.virt_type or host.virt_type_wanted,
        "virt_type_wanted": host.virt_type_wanted,
        "virt_types": host.virt_types,
        "encrypted": host.encrypted,
        "guests_running": getattr(host, "guests_running", 0),
        "guests_total": getattr(host, "guests_total", 0),
        "check_steps": host.check_steps,
        "checked_at": moment(host.checked_at),
        "url": f"/api/v1/hosts/{host.pk}/",
        "page": host.get_absolute_url(),
    }


def network_json(network: Network) -> dict[str, Any]:
    """A network of a host."""
    return {
        "id": network.pk,
        "host": network.host_id,
        "uuid": str(network.uuid),
        "name": network.name,
        "active": network.active,
        "autostart": network.autostart,
        "persistent": network.persistent,
        "mode": network.mode,
        "bridge": network.bridge,
        "cidr": network.cidr,
        "dhcp": network.dhcp,
        "gateway": network.gateway,
        "ranges": network.ranges,
        "fixed_leases": network.fixed,
        "vlan": network.vlan,
        "openvswitch": network.openvswitch,
        "portgroups": network.portgroups,
        "leases": network.leases,
        "problem": network.problem,
    }


def _free(host: Host) -> int | None:
    """As just told, where that is known; the column is some minutes old."""
    told = host.sample.memory_free_bytes if host.sample else None
    return host.memory_free_bytes if told is None else told


def moment(at: datetime | None) -> str | None:
    """A time as the API says it."""
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
