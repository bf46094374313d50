"""What a person can ask of volumes: decide, write down an operation, return at once."""

from dataclasses import dataclass
from typing import Any

from django.db import transaction

from hosts.access import need_up
from hosts.models import Pool, Volume
from hosts.storage import guarding, holdings, origins
from hosts.storage.claims import claim, need_unclaimed
from hosts.storage.models import Holding
from hosts.storage.places import path_of
from hosts.storage.sharing import Sharing
from kvmweb.accounts import audit
from kvmweb.accounts.models import User
from kvmweb.errors import Conflict, Invalid
from kvmweb.operations.models import Operation
from kvmweb.operations.services import submit
from kvmweb.sizes import amount
from kvmweb.virt import volumes

_CONTENT_EXPIRES_S = 15  # nobody waits longer with a body in hand


@dataclass(frozen=True, slots=True)
class New:
    """A volume to be made."""

    name: str
    format: str
    capacity_bytes: int
    backing: Volume | None = None  # it stands on this one, of the same host


@dataclass(frozen=True, slots=True)
class Copy:
    """A full copy to be made, within one host."""

    name: str
    pool: Pool | None = None  # None: where the volume is
    format: str = ""  # "": as the volume


def create(pool: Pool, new: New, *, by: User | None, address: str = "") -> Operation:
    """A new empty volume, or one that stands on another.

    Raises Invalid, and Conflict when the name is taken or the pool cannot be used now.
    """
    volumes.check_name(new.name)
    volumes.check_format(new.format)
    volumes.check_capacity(new.capacity_bytes)
    below = _below(pool, new)
    _need_pool(pool)
    _need_free_name(pool, new.name)
    params: dict[str, Any] = {
        "name": new.name,
        "format": new.format,
        "capacity_bytes": new.capacity_bytes,
    }
    with transaction.atomic():
        operation = _submit("volume.create", pool, params | below, by, address)
        _make(operation, pool, new.name, [new.backing.path] if new.backing else [])
    return operation


def clone(
    volume: Volume, copy: Copy, *, by: User | None, address: str = ""
) -> Operation:
    """A full copy, made by the host; in another format than it has: converted.

    Raises Invalid, and Conflict when the volume is not ready.
    """
    pool = copy.pool or volume.pool
    made_as = copy.format or _made_as(volume)
    volumes.check_name(copy.name)
    volumes.check_format(made_as)
    if pool.host_id != volume.pool.host_id:
        raise Invalid(
            "A volume is copied within its host.",
            errors={"pool": ["Choose a pool of the same host."]},
        )
    _need_pool(pool)
    _need_pool(volume.pool)
    holdings.need_ready(volume)
    _need_free_name(pool, copy.name)
    kind = "volume.clone" if made_as == _made_as(volume) else "volume.convert"
    params = {
        "name": copy.name,
        "format": made_as,
        "source": volume.path,
        "source_format": holdings.format_of(volume),
        "source_bytes": volume.allocation_bytes,
    }
    with transaction.atomic():
        operation = _submit(kind, pool, params, by, address)
        _make(operation, pool, copy.name, [volume.path])
    return operation


def grow(
    volume: Volume, capacity_bytes: int, *, by: User, address: str = ""
) -> Operation:
    """Make it larger. Raises Invalid when it would shrink, Conflict when it is not ready."""
    volumes.check_capacity(capacity_bytes)
    if capacity_bytes < volume.capacity_bytes:
        sentence = (
            f"{volume.name} has {amount(volume.capacity_bytes)} already; "
            "a volume never shrinks."
        )
        raise Invalid(sentence, errors={"capacity_bytes": [sentence]})
    _need_pool(volume.pool)
    holdings.need_ready(volume)
    params = _about(volume) | {"capacity_bytes": capacity_bytes}
    return _claiming("volume.grow", volume, params, by, address)


def delete(
    volume: Volume, *, now: bool = False, by: User | None, address: str = ""
) -> Operation:
    """Put it into the trash, or delete it at once, when nobody uses it.

    Raises Conflict naming who uses it, also when a host that may know cannot be asked.
    """
    _need_pool(volume.pool)
    _need_deletable(volume, now=now)
    doing = f"delete {volume.name}"
    sharing = Sharing(volume.pool.host, [volume.path])
    guarding.need_free(sharing, [volume.path], doing)
    kind = "volume.delete" if now else "volume.trash"
    return _claiming(kind, volume, _about(volume), by, address)


def restore(volume: Volume, *, by: User, address: str = "") -> Volume:
    """Take it out of the trash, at once. Raises Conflict when it is not there."""
    with transaction.atomic():
        rows = Holding.objects.select_for_update().filter(
            host=volume.pool.host_id, path=volume.path, state=Holding.State.TRASH
        )
        row = rows.first()
        if row is None:
            raise Conflict(f"{volume.name} is not in the trash.")
        host, path = volume.pool.host, volume.path
        need_unclaimed(host, [path])
        holdings.ready(host, path, format=row.format)
        audit.record(
            "volume.restore",
            actor=by,
            target=host.topic,
            outcome="succeeded",
            address=address,
            details={"volume": volume.name, "path": path},
        )
    return volume


def upload(
    volume: Volume, *, length_bytes: int | None = None, by: User, address: str = ""
) -> Operation:
    """Fill it with what is about to be sent; what is in it now is replaced at the end.

    Raises Conflict when it is not ready, or anybody uses it.
    """
    params = _writing_over(volume) | {"length_bytes": length_bytes}
    if (length_bytes or 0) > volume.capacity_bytes and params["format"] == "raw":
        sentence = (
            f"The file has {length_bytes} bytes, and {volume.name} has room for "
            f"{volume.capacity_bytes}."
        )
        raise Invalid(sentence, errors={"content": [sentence]})
    return _claiming("volume.upload", volume, params, by, address, _CONTENT_EXPIRES_S)


def fetch(
    volume: Volume, url: str, *, sha256: str = "", by: User, address: str = ""
) -> Operation:
    """Fill it with what lies at an address. Raises Invalid, and Conflict as `upload`."""
    origins.check(url, sha256)
    params = _writing_over(volume) | {"url": url, "sha256": sha256}
    return _claiming("volume.fetch", volume, params, by, address)


def download(volume: Volume, *, by: User, address: str = "") -> Operation:
    """Have its content read. Raises Conflict when it is not ready."""
    _need_pool(volume.pool)
    holdings.need_ready(volume)
    with transaction.atomic():
        operation = _submit(
            "volume.download",
            volume.pool,
            _about(volume),
            by,
            address,
            _CONTENT_EXPIRES_S,
        )
        claim(operation, volume.pool.host, [volume.path], destroys=False)
    return operation


def _writing_over(volume: Volume) -> dict[str, Any]:
    """What an operation needs to know that fills it; nobody uses it."""
    _need_pool(volume.pool)
    holdings.need_ready(volume)
    sharing = Sharing(volume.pool.host, [volume.path])
    guarding.need_free(sharing, [volume.path], f"write over {volume.name}")
    return _about(volume) | {
        "format": _made_as(volume),
        "capacity_bytes": volume.capacity_bytes,
    }


def _about(volume: Volume) -> dict[str, Any]:
    return {"volume": volume.pk, "name": volume.name, "path": volume.path}


def _made_as(volume: Volume) -> str:
    """The format a copy of it is made in: what is not made here is raw bytes."""
    known = holdings.format_of(volume)
    return known if known in volumes.FORMATS else "raw"


def _below(pool: Pool, new: New) -> dict[str, Any]:
    backing = new.backing
    if backing is None:
        return {}
    if backing.pool.host_id != pool.host_id:
        sentence = "The volume below is on another host."
        raise Invalid(sentence, errors={"backing": [sentence]})
    if new.format != "qcow2":
        sentence = "Only a qcow2 volume can stand on another one."
        raise Invalid(sentence, errors={"format": [sentence]})
    holdings.need_ready(backing)
    return {"backing": backing.path, "backing_format": holdings.format_of(backing)}


def _need_pool(pool: Pool) -> None:
    need_up(pool.host)
    if not pool.active:
        raise Conflict(f"The pool {pool.name} is not active.", hint="Start it first.")


def _need_free_name(pool: Pool, name: str) -> None:
    row = pool.volumes.filter(name=name).first()
    if row is None:
        return
    held = holdings.held(row)
    if held and held.state == Holding.State.TRASH:
        raise Conflict(
            f"{name} is in the trash of {pool.name}.",
            hint="Take it out of there, delete it now, or choose another name.",
            field="name",
        )
    raise Conflict(f"{pool.name} has a volume {name} already.", field="name")


def _need_deletable(volume: Volume, *, now: bool) -> None:
    held = holdings.held(volume)
    if held is None:
        return
    if held.state == Holding.State.TRASH and not now:
        raise Conflict(
            f"{volume.name} is in the trash already.", hint="Ask for it with now=true."
        )
    if held.state == Holding.State.BUILDING:
        rows = Operation.objects.filter(
            pk__in=[held.operation], state__in=Operation.ACTIVE
        )
        if rows.exists():
            holdings.need_ready(volume)
        if not now:
            raise Conflict(
                f"{volume.name} is half made: there is nothing to keep in the trash.",
                hint="Ask for it with now=true.",
            )


def _make(operation: Operation, pool: Pool, name: str, used: list[str]) -> None:
    """What is to be made is nobody else's, and what it is made of stays."""
    path = path_of(pool, name)
    holdings.building(pool.host, path, operation)
    claim(operation, pool.host, [path], destroys=True)
    if used:
        claim(operation, pool.host, used, destroys=False)


def _claiming(
    kind: str,
    volume: Volume,
    params: dict[str, Any],
    by: User | None,
    address: str,
    expires_s: int | None = 120,
) -> Operation:
    """An operation that changes the volume or ends it."""
    with transaction.atomic():
        operation = _submit(kind, volume.pool, params, by, address, expires_s)
        claim(operation, volume.pool.host, [volume.path], destroys=True)
    return operation


def _submit(
    kind: str,
    pool: Pool,
    params: dict[str, Any],
    by: User | None,
    address: str,
    expires_s: int | None = 120,
) -> Operation:
    about = {"pool": pool.pk, "pool_uuid": str(pool.uuid), "pool_name": pool.name}
    return submit(
        kind,
        by=by,
        host=pool.host_id,
        host_name=pool.host.name,
        params=about | params,
        address=address,
        expires_s=expires_s,
    )
