"""What a person can ask of a guest's disks and CDs: decide, write it down, return."""

import re
from typing import Any

from django.db import transaction

from guests import charging
from guests.hardware import choosing, documents
from guests.hardware.checks import need_persistent
from guests.hardware.device_wishes import DiskChange, DiskWish, limits_params
from guests.hardware.parts import find_disk, source_of
from guests.models import Guest
from guests.services import need_changeable, submit_for
from hosts.models import Pool, Volume
from hosts.storage import holdings
from hosts.storage.claims import claim
from hosts.storage.models import Holding
from hosts.storage.places import path_of
from hosts.storage.sharing import Sharing
from kvmweb.accounts.gate import Right, need
from kvmweb.accounts.models import User
from kvmweb.errors import Conflict, Invalid, NotFound
from kvmweb.operations.models import Operation
from kvmweb.sizes import amount
from kvmweb.virt.types import DomainState
from kvmweb.virt.volumes import check_name

ACTIVE = (DomainState.RUNNING, DomainState.PAUSED, DomainState.SUSPENDED)


def add(
    guest: Guest, wish: DiskWish, *, when: str, by: User, address: str = ""
) -> Operation:
    """Give it a further disk: a new volume, or one that nobody uses.

    Raises Invalid, and Conflict when the volume is used, half made or in the trash.
    """
    wish.need_valid()
    need_changeable(guest, by)
    docs = choosing.documents(guest)
    bus = wish.bus or documents.default_bus(docs)
    target = documents.free_target(docs, bus)
    params: dict[str, Any] = {
        "target": target,
        "bus": bus,
        "cache": wish.cache,
        "io": wish.io,
        "discard": wish.discard,
        "readonly": wish.readonly,
        "shareable": wish.shareable,
        "limits": limits_params(wish.limits),
        "when": when,
    }
    if wish.volume:
        volume = choosing.volume(guest, wish.volume)
        how = {"readonly": wish.readonly, "shareable": wish.shareable}
        choosing.need_unused(guest, volume.path, **how)
        return _adding(guest, volume, params, by, address)
    pool = choosing.pool(guest, wish.pool)
    need(by, Right.MANAGE_VOLUMES)
    made_as = wish.format or ("raw" if choosing.is_block(pool) else "qcow2")
    name = wish.name or _free_name(guest, pool, target, made_as)
    check_name(name)
    if pool.volumes.filter(name=name).exists():
        sentence = f"{pool.name} has a volume {name} already."
        raise Invalid(sentence, errors={"name": [sentence]})
    params |= {"name": name, "format": made_as, "size_bytes": wish.size_bytes}
    return _making(guest, pool, params, by, address)


def change(  # noqa: PLR0913 - who asks, and what allows it
    guest: Guest,
    target: str,
    wish: DiskChange,
    *,
    when: str,
    by: User,
    address: str = "",
    granted: str = "",
) -> Operation:
    """Grow a disk, or have it handled otherwise; `granted`: as was approved ("request:7").

    Raises NotFound when it has no such disk, Invalid when it would shrink.
    """
    wish.need_valid()
    need_changeable(guest, by)
    path, volume = volume_of(guest, target)
    if wish.size_bytes is not None:
        if volume is None:
            raise Conflict(
                f"No pool knows the volume of {target}; it cannot grow here."
            )
        holdings.need_ready(volume)
        if wish.size_bytes < volume.capacity_bytes:
            sentence = (
                f"{target} has {amount(volume.capacity_bytes)} already; a disk never "
                "shrinks."
            )
            raise Invalid(sentence, errors={"size_bytes": [sentence]})
    if wish.params().keys() - {"size_bytes"}:
        need_persistent(guest)
    params = {"target": target, "when": when, "change": wish.params(), "path": path}
    params |= {"granted": granted} if granted else {}
    if volume is not None:
        params |= _about(volume.pool)
    kind = (
        "guest.disk-grow"
        if list(wish.params()) == ["size_bytes"]
        else "guest.disk-change"
    )
    with transaction.atomic():
        if wish.size_bytes is not None and volume is not None:
            more = wish.size_bytes - volume.capacity_bytes
            charging.growing(guest, charging.Size(disk_bytes=more))
        operation = submit_for(kind, guest, by, address, params)
        if wish.size_bytes is not None and volume is not None:
            claim(operation, choosing.home(guest), [path], destroys=True)
    return operation


def remove(
    guest: Guest,
    target: str,
    *,
    delete: bool,
    when: str,
    by: User,
    address: str = "",
) -> Operation:
    """Take a disk from it; with `delete` its volume goes into the trash if nobody uses it.

    Raises NotFound when it has no such disk.
    """
    need_changeable(guest, by)
    path, volume = volume_of(guest, target)
    params: dict[str, Any] = {"target": target, "when": when, "path": path}
    if delete:
        need(by, Right.MANAGE_VOLUMES)
        if volume is None:
            raise Conflict(f"No pool knows the volume of {target}; keep it.")
        if when != "now" and guest.state in ACTIVE:
            raise Conflict(
                f"{guest.name} has {target} until its next start; its volume stays.",
                hint="Take it out now, or keep the volume.",
            )
        params |= _about(volume.pool) | {"name": volume.name, "delete": True}
    with transaction.atomic():
        operation = submit_for("guest.disk-remove", guest, by, address, params)
        if delete:
            claim(operation, choosing.home(guest), [path], destroys=True)
    return operation


def set_media(  # noqa: PLR0913 - what a drive can be told
    guest: Guest,
    volume: str,
    *,
    target: str = "",
    force: bool = False,
    when: str,
    by: User,
    address: str = "",
) -> Operation:
    """Put a volume into its CD drive, or take out what is in it ("").

    A guest without a drive gets one. `force` opens a tray that the guest holds shut.
    Raises NotFound when it has no such drive, Invalid, Conflict.
    """
    need_changeable(guest, by)
    docs = choosing.documents(guest)
    drives = [it for doc in docs for it in doc.disks if it.device == "cdrom"]
    if target and target not in {each.target for each in drives}:
        raise NotFound(f"{guest.name} has no CD drive {target[:40]!r}.")
    params: dict[str, Any] = {"when": when, "force": force, "path": ""}
    params["target"] = target or next((it.target for it in drives), "")
    if not params["target"]:
        if not volume:
            raise Conflict(f"{guest.name} has no CD drive that could be emptied.")
        bus = documents.cd_bus(docs[-1]) if docs else "sata"
        params |= {"new_bus": bus, "target": documents.free_target(docs, bus)}
    found = choosing.volume(guest, volume) if volume else None
    if found is not None:
        choosing.need_unused(guest, found.path, readonly=True)
        params |= {"path": found.path, "block": choosing.is_block(found.pool)}
        params["medium"] = found.name
    with transaction.atomic():
        operation = submit_for("guest.change-media", guest, by, address, params)
        if found is not None:
            claim(operation, choosing.home(guest), [found.path], destroys=False)
    return operation


def _adding(
    guest: Guest, volume: Volume, params: dict[str, Any], by: User, address: str
) -> Operation:
    params |= {
        "path": volume.path,
        "format": holdings.format_of(volume),
        "block": choosing.is_block(volume.pool),
    }
    if params["format"] == "iso":
        params["format"] = "raw"
    with transaction.atomic():
        if not params["readonly"]:
            charging.growing(guest, charging.Size(disk_bytes=volume.capacity_bytes))
        operation = submit_for("guest.disk-add", guest, by, address, params)
        alone = not (params["readonly"] or params["shareable"])
        claim(operation, choosing.home(guest), [volume.path], destroys=alone)
    return operation


def _making(
    guest: Guest, pool: Pool, params: dict[str, Any], by: User, address: str
) -> Operation:
    params |= _about(pool) | {"block": choosing.is_block(pool)}
    path = path_of(pool, params["name"])
    with transaction.atomic():
        charging.growing(guest, charging.Size(disk_bytes=params["size_bytes"] or 0))
        operation = submit_for("guest.disk-add", guest, by, address, params)
        holdings.building(pool.host, path, operation)
        claim(operation, pool.host, [path], destroys=True)
    return operation


def _about(pool: Pool) -> dict[str, Any]:
    return {"pool_uuid": str(pool.uuid), "pool_name": pool.name}


def volume_of(guest: Guest, target: str) -> tuple[str, Volume | None]:
    """Where a disk of it lies, and the volume, if a pool knows it. Raises NotFound."""
    found = (find_disk(doc, target) for doc in choosing.documents(guest))
    disk = next((each for each in found if each is not None), None)
    if disk is None:
        raise NotFound(f"{guest.name} has no disk {target[:40]!r}.")
    rows = Volume.objects.filter(pool__host=choosing.home(guest))
    rows = rows.select_related("pool__host")
    if disk.pool and disk.volume:
        volume = rows.filter(pool__name=disk.pool, name=disk.volume).first()
    else:
        volume = rows.filter(path=source_of(disk)).first() if source_of(disk) else None
    return (volume.path if volume else source_of(disk)), volume


def _free_name(guest: Guest, pool: Pool, target: str, made_as: str) -> str:
    """A name for its volume that nothing in the pool has, nor on hosts that share it."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", guest.name).strip("-._")[:100] or "guest"
    end = ".qcow2" if made_as == "qcow2" else ".img"
    end = "" if choosing.is_block(pool) else end
    hosts = Sharing.of_pool(pool).ids
    taken = {
        *Volume.objects.filter(pool__host__in=hosts).values_list("name", flat=True)
    }
    held = Holding.objects.filter(host__in=hosts).values_list("path", flat=True)
    taken |= {path.rpartition("/")[2] for path in held}
    names = [
        f"{stem}-{target}{end}",
        *(f"{stem}-{target}-{n}{end}" for n in range(2, 999)),
    ]
    return next(name for name in names if name not in taken)
