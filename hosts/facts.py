"""What hosts said, stored and announced, only if new. The only writer of fact columns."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet
from django.utils import timezone

from hosts import announce, columns
from hosts.models import Host, HostDevice, Network, NetworkFilter, Pool, Volume
from hosts.recorders import recorder
from kvmweb.live import news
from kvmweb.virt.abilities import NodeDeviceFacts, Surroundings
from kvmweb.virt.types import (
    CheckStep,
    HostFacts,
    Lost,
    NetworkFacts,
    PoolFacts,
    VolumeFacts,
)

__all__ = ["recorder"]  # guests plug in here, too

M = TypeVar("M", bound=Model)
Values = dict[str, Any]

_BATCH = 500


@recorder("host")
def record_host(host: Host, facts: HostFacts) -> None:
    """Make the host's row say what it just said: it is up, unless it is another twice."""
    values = _host_values(facts)
    twin = _same_machine(host, facts.uuid)
    if twin is None:
        values |= _state(host, Host.State.UP)
    else:
        values |= _state(
            host,
            Host.State.DOWN,
            f"This is the same machine as {twin.name}: both have the UUID {facts.uuid}.",
            "Remove one of the two, or give the machine a host_uuid of its own in "
            "libvirtd.conf.",
        )
    _store(host, values | {"seen_at": timezone.now()})


@recorder("heard")
def record_heard(host_id: int) -> None:
    """The host answered just now."""
    Host.objects.filter(pk=host_id).update(seen_at=timezone.now())


@recorder("connecting")
def record_connecting(host: Host) -> None:
    """The host is reached in a new way: what was known of the old way is over."""
    _store(host, _state(host, Host.State.CONNECTING))


@recorder("lost")
def record_lost(host: Host, lost: Lost) -> None:
    """The host is down, since it was first not reached, and why."""
    _store(host, _state(host, Host.State.DOWN, lost.message, lost.hint))


@recorder("checked")
def record_checked(host: Host, steps: Sequence[CheckStep]) -> None:
    """Keep what the last check saw, step by step."""
    _store(host, {"check_steps": columns.as_json(steps), "checked_at": timezone.now()})
    announce.changed(host)


@recorder("pools")
def record_pools(host: Host, seen: Sequence[PoolFacts]) -> None:
    """Make the rows of its pools and volumes say what it just said."""
    rows = {row.uuid: row for row in host.pools.all()}
    wanted = {facts.uuid: _pool_values(facts) for facts in seen}
    changed = _reconcile(Pool.objects.all(), rows, wanted, {"host": host}, "uuid")
    pools = {row.uuid: row for row in host.pools.all()} if wanted else {}
    known: dict[int, dict[str, Volume]] = {pool.pk: {} for pool in pools.values()}
    for volume in Volume.objects.filter(pool__host=host):
        known[volume.pool_id][volume.name] = volume
    for facts in seen:
        pool = pools[facts.uuid]
        if not facts.active and not facts.volumes:
            continue  # nobody can look into it now; what was known stays
        told = {
            columns.text(volume.name, 1024): _volume_values(volume)
            for volume in facts.volumes
        }
        changed |= _reconcile(
            Volume.objects.all(), known[pool.pk], told, {"pool": pool}, "name"
        )
    if changed:
        news.publish(host.topic, "storage", {"host": host.pk})


@recorder("networks")
def record_networks(host: Host, seen: Sequence[NetworkFacts]) -> None:
    """Make the rows of its networks say what it just said."""
    rows = {row.uuid: row for row in host.networks.all()}
    wanted = {facts.uuid: _network_values(facts) for facts in seen}
    if _reconcile(Network.objects.all(), rows, wanted, {"host": host}, "uuid"):
        news.publish(host.topic, "networks", {"host": host.pk})


@recorder("surroundings")
def record_surroundings(host: Host, seen: Surroundings) -> None:
    """Make the rows say what it can give its guests: abilities, devices, filters."""
    told = {
        "capabilities": columns.as_json(seen.capabilities),
        "interfaces": columns.as_json(seen.interfaces),
    }
    _store(host, told)
    devices = {columns.text(f.name, 255): _device_values(f) for f in seen.devices}
    filters = {columns.text(name, 255): Values() for name in seen.filters}
    for table, wanted in (
        (HostDevice.objects.all(), devices),
        (NetworkFilter.objects.all(), filters),
    ):
        rows = {row.name: row for row in table.filter(host=host)}
        _reconcile(table, rows, wanted, {"host": host}, "name")


@recorder("settled")
def record_settled(host: Host) -> None:
    """All that came together is stored: tell who listens, if it is new."""
    announce.changed_if_new(host)


def _store(host: Host, values: Mapping[str, Any]) -> None:
    new = {name: to for name, to in values.items() if getattr(host, name) != to}
    for name, to in new.items():
        setattr(host, name, to)
    if new:
        host.save(update_fields=list(new))


def _state(host: Host, state: Host.State, error: str = "", hint: str = "") -> Values:
    since = host.state_since if host.state == state else timezone.now()
    return {
        "state": state.value,
        "state_since": since,
        "error": columns.text(error),
        "error_hint": columns.text(hint),
    }


def _same_machine(host: Host, uuid: UUID | None) -> Host | None:
    """The host that was added earlier and is this machine."""
    if uuid is None:
        return None
    return Host.objects.filter(uuid=uuid, pk__lt=host.pk).order_by("pk").first()


def _host_values(facts: HostFacts) -> Values:
    return {
        "hostname": columns.text(facts.hostname, 255),
        "uuid": facts.uuid,
        "arch": columns.text(facts.arch, 32),
        "cpu_model": columns.text(facts.cpu_model, 128),
        "cpus": columns.number(facts.cpus, columns.BIG),
        "sockets": columns.number(facts.sockets, columns.BIG),
        "cores": columns.number(facts.cores, columns.BIG),
        "threads": columns.number(facts.threads, columns.BIG),
        "cpu_mhz": columns.number(facts.cpu_mhz, columns.BIG),
        "memory_bytes": columns.number(facts.memory_bytes),
        "memory_free_bytes": facts.memory_free_bytes,
        "numa": columns.as_json(facts.numa),
        "libvirt_version": columns.text(facts.libvirt_version, 32),
        "hypervisor": columns.text(facts.hypervisor, 32),
        "hypervisor_version": columns.text(facts.hypervisor_version, 32),
        "virt_types": columns.as_json(facts.virt_types),
        "encrypted": facts.secure,
    }


def _pool_values(facts: PoolFacts) -> Values:
    return {
        "name": columns.text(facts.name, 255),
        "type": columns.text(facts.type, 32),
        "active": facts.active,
        "autostart": facts.autostart,
        "persistent": facts.persistent,
        "target": columns.text(facts.target, 1024),
        "capacity_bytes": columns.number(facts.capacity_bytes),
        "allocation_bytes": columns.number(facts.allocation_bytes),
        "available_bytes": columns.number(facts.available_bytes),
        "problem": columns.text(facts.problem),
    }


def _volume_values(facts: VolumeFacts) -> Values:
    return {
        "key": columns.text(facts.key, 1024),
        "path": columns.text(facts.path, 1024),
        "format": columns.text(facts.format, 32),
        "capacity_bytes": columns.number(facts.capacity_bytes),
        "allocation_bytes": columns.number(facts.allocation_bytes),
        "backing_path": columns.text(facts.backing_path, 1024),
    }


def _network_values(facts: NetworkFacts) -> Values:
    return {
        "name": columns.text(facts.name, 255),
        "active": facts.active,
        "autostart": facts.autostart,
        "persistent": facts.persistent,
        "mode": columns.text(facts.mode, 32),
        "bridge": columns.text(facts.bridge, 64),
        "cidr": columns.text(facts.cidr, 64),
        "dhcp": facts.dhcp,
        "gateway": columns.text(facts.gateway, 64),
        "ranges": columns.as_json(facts.ranges),
        "fixed": columns.as_json(facts.fixed),
        "leases": columns.as_json(facts.leases),
        "vlan": facts.vlan and columns.number(facts.vlan, columns.BIG),
        "openvswitch": facts.openvswitch,
        "portgroups": columns.as_json(facts.portgroups),
        "problem": columns.text(facts.problem),
    }


def _device_values(facts: NodeDeviceFacts) -> Values:
    group = facts.iommu_group
    return {
        "kind": facts.kind,
        "vendor": columns.text(facts.vendor, 255),
        "product": columns.text(facts.product, 255),
        "vendor_id": columns.text(facts.vendor_id, 16),
        "product_id": columns.text(facts.product_id, 16),
        "address": columns.as_json(facts.address),
        "driver": columns.text(facts.driver, 64),
        "iommu_group": None if group is None else columns.number(group, columns.BIG),
    }


def _reconcile(
    table: QuerySet[M],
    rows: Mapping[Any, M],
    wanted: Mapping[Any, Values],
    owner: Values,
    key: str,
) -> bool:
    """Create, change and delete rows until they are the wanted ones; whether any was."""
    created, changed = [], []
    fields: set[str] = set()
    for word, values in wanted.items():
        row = rows.get(word)
        if row is None:
            created.append(table.model(**owner, **{key: word}, **values))
            continue
        new = {name for name, to in values.items() if getattr(row, name) != to}
        for name in new:
            setattr(row, name, values[name])
        if new:
            changed.append(row)
            fields |= new
    gone = [row.pk for word, row in rows.items() if word not in wanted]
    if created:
        table.bulk_create(created, batch_size=_BATCH)
    if changed:
        table.bulk_update(changed, sorted(fields), batch_size=_BATCH)
    for part in _parts(gone):
        table.filter(pk__in=part).delete()
    return bool(created or changed or gone)


def _parts(whole: Sequence[int]) -> Iterable[Sequence[int]]:
    return (whole[start : start + _BATCH] for start in range(0, len(whole), _BATCH))
