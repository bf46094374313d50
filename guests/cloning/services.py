"""Ask for clones and templates: decide, write down an operation, return at once."""

import re
from dataclasses import dataclass, replace

from django.db import transaction

from guests import charging
from guests.cloning import identity, planning
from guests.cloning.planning import KIND, Plan
from guests.images import seeding
from guests.images.seed import CloudInit
from guests.models import Guest
from guests.services import need_there
from hosts import services as host_services
from hosts.models import Host, Volume
from hosts.storage.claims import claim
from kvmweb.accounts.gate import Right, need
from kvmweb.accounts.models import User
from kvmweb.errors import Conflict, Invalid
from kvmweb.operations.models import Operation
from kvmweb.operations.services import group, submit
from kvmweb.virt.types import DomainState
from kvmweb.virt.xml.copied import raw_options

MOST = 50
NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?")
NAME_HELP = "Use small letters, digits, dots and dashes, at most 63, no dash at an end."
_EXPIRES_S = 1800  # fifty of them wait for each other
_OFF = {DomainState.SHUTOFF, DomainState.CRASHED}


@dataclass(frozen=True, slots=True)
class Wish:
    """Clones that somebody wants."""

    name: str
    linked: bool = False
    host: int | None = None  # None: where the original is
    start: bool = False
    count: int = 1
    cloud: CloudInit | None = None

    def names(self) -> list[str]:
        """Of all of them: web, or web-01, web-02 and so on."""
        if self.count == 1:
            return [self.name]
        return [f"{self.name}-{number:02}" for number in range(1, self.count + 1)]


def clone(source: Guest, wish: Wish, *, by: User, address: str = "") -> Operation:
    """Make another guest of this one, or several as children of one operation.

    A full clone's original stays off meanwhile; a linked one stands on a template for
    ever. Raises Invalid, Conflict, Forbidden when only an administrator may.
    """
    _check(wish)
    need_there(source, by)
    _need_source(source, wish, by)
    host = _host(source, wish)
    seeded = wish.cloud is not None or identity.has_cloud_init(source)
    with transaction.atomic():
        # One at a time: two must not choose the same names.
        list(Host.objects.select_for_update().filter(pk=host.pk).values_list("pk"))
        _need_free_names(host, wish.names())
        plans = [
            planning.plan(
                source, host, name, linked=wish.linked, start=wish.start, seeded=seeded
            )
            for name in wish.names()
        ]
        _need_room(host, plans)
        parent = _parent(source, wish, plans, by, address)
        made = [_submit(source, each, wish, parent, by, address) for each in plans]
    return parent or made[0]


def why_not(source: Guest, *, linked: bool) -> str:
    """Why no such clone can be made now, as a sentence; "" when it can."""
    try:
        _need_kind(source, linked=linked)
    except Conflict as error:
        return str(error)
    return ""


def _check(wish: Wish) -> None:
    errors: dict[str, list[str]] = {}
    if not 1 <= wish.count <= MOST:
        errors["count"] = [f"Make from 1 to {MOST} at once."]
    elif wrong := [name for name in wish.names() if not NAME.fullmatch(name)]:
        errors["name"] = [f"{wrong[0][:80]!r} is no name. {NAME_HELP}"]
    if errors:
        sentences = " ".join(text for texts in errors.values() for text in texts)
        raise Invalid(sentences, errors=errors)
    if wish.cloud is not None:
        replace(wish.cloud, hostname=wish.cloud.hostname or "guest").check()


def _need_source(source: Guest, wish: Wish, by: User) -> None:
    _need_kind(source, linked=wish.linked)
    document = getattr(source, "document", None)
    if document is not None and raw_options(document.inactive_xml or document.xml):
        need(by, Right.EDIT_XML)  # a clone hands the same words to its own QEMU


def _need_kind(source: Guest, *, linked: bool) -> None:
    name = source.name
    if linked and not source.template:
        raise Conflict(
            f"{name} is no template, and a linked clone needs disks that never change.",
            hint="Make it a template first, or make a full clone.",
        )
    if source.state not in _OFF:
        raise Conflict(
            f"{name} is {source.state}: a copy of disks that are written to is not whole.",
            hint="Shut it down first.",
        )
    if not source.persistent:
        raise Conflict(f"{name} is transient: it cannot be cloned.")
    if source.managed_save:
        raise Conflict(
            f"{name} was saved while it ran: its disks alone are not whole.",
            hint="Start it and shut it down first.",
        )


def _host(source: Guest, wish: Wish) -> Host:
    if wish.host is None or wish.host == source.host_id:
        if source.host is None:
            raise Conflict(f"{source.name} is gone: no host knows it any more.")
        host = source.host
    else:
        found = Host.objects.filter(pk=wish.host).first() if wish.host < 2**63 else None
        if found is None:
            sentence = "There is no such host."
            raise Invalid(sentence, errors={"host": [sentence]})
        host = found
    host_services.need_up(host)
    if host.maintenance:
        raise Conflict(f"{host.name} is in maintenance: no new guests there.")
    return host


def _need_free_names(host: Host, names: list[str]) -> None:
    taken = Guest.objects.filter(host=host, name__in=names)
    found = taken.exclude(state=DomainState.GONE).values_list("name", flat=True)
    coming = Operation.objects.filter(
        host=host.pk,
        kind__in=("guest.clone", "guest.create"),
        state__in=Operation.ACTIVE,
        guest_name__in=names,
    ).values_list("guest_name", flat=True)
    if both := sorted({*found, *coming}):
        sentence = f"{host.name} has a guest named {both[0]} already."
        raise Conflict(sentence, hint="Choose another name.")


def _need_room(host: Host, plans: list[Plan]) -> None:
    """Nothing. Raises Conflict when whole copies would not fit."""
    needed: dict[int, int] = {}
    for plan in plans:
        if plan.linked:
            continue
        for disk in plan.disks:
            row = Volume.objects.filter(
                pool__host=plan.source_host, path=disk.source
            ).first()
            size = row.allocation_bytes if row else 0
            needed[disk.pool] = needed.get(disk.pool, 0) + size
    for pool in host.pools.filter(pk__in=needed):
        if needed[pool.pk] > pool.available_bytes > 0:
            raise Conflict(
                f"{pool.name} of {host.name} has {pool.available_bytes} bytes left, and "
                f"the copies need {needed[pool.pk]}."
            )


def _parent(
    source: Guest, wish: Wish, plans: list[Plan], by: User, address: str
) -> Operation | None:
    """What keeps the original as it is until all whole copies of it are made.

    A template never changes, so a single linked clone needs nobody to hold it.
    """
    if wish.linked and len(plans) == 1:
        return None
    held = None if wish.linked else source.pk
    uuids = [plan.uuid for plan in plans]
    return group(
        KIND,
        by=by,
        address=address,
        guest=held,
        guest_name=source.name,
        host=source.host_id,
        host_name=source.host.name if source.host else "",
        params={"names": wish.names()},
        result={"guests": uuids, "guest": uuids[0]},
    )


def _charge(source: Guest, plan: Plan, operation: Operation) -> None:
    """It is the original's project's, and as large. Raises Conflict without room."""
    coming = charging.Coming(
        planning.uuid_of(plan),
        plan.name,
        operation.pk,
        charging.Size(
            plan.vcpus,
            plan.memory_bytes,
            sum(disk.capacity_bytes for disk in plan.disks),
        ),
        tuple(source.tags),
    )
    charging.coming(source.project, coming)


def _submit(  # one clone, for whom, and of what
    source: Guest,
    plan: Plan,
    wish: Wish,
    parent: Operation | None,
    by: User,
    address: str,
) -> Operation:
    operation = submit(
        KIND,
        by=by,
        guest=planning.uuid_of(plan),
        guest_name=plan.name,
        host=plan.host,
        host_name=plan.host_name,
        params={"plan": plan.told()},
        parent=parent,
        address=address,
        expires_s=_EXPIRES_S,
    )
    _charge(source, plan, operation)
    if plan.seed_pool is not None:
        cloud = wish.cloud
        if cloud is not None and parent is not None and wish.count > 1:
            cloud = replace(cloud, hostname="")  # each its own name
        seeding.keep(planning.uuid_of(plan), plan.name, identity.told(plan.name, cloud))
    home = Host.objects.get(pk=plan.source_host)
    claim(operation, home, [disk.source for disk in plan.disks], destroys=False)
    return operation
