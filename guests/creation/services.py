"""Ask for new guests: decide where, promise it, write down operations, return at once."""

from dataclasses import dataclass, field, replace
from typing import Any

from django.db import transaction

from guests import charging, edits
from guests.creation import planning
from guests.creation.blueprint import document
from guests.creation.drafting import Planned
from guests.creation.plan import KIND, NewVolume
from guests.creation.wanted import Wanted
from guests.images import seeding
from guests.images.seed import CloudInit
from hosts.models import Host, Volume
from hosts.storage import claims
from kvmweb.accounts.gate import Right, may, need
from kvmweb.accounts.models import User
from kvmweb.errors import Forbidden, Invalid
from kvmweb.operations.models import Operation
from kvmweb.operations.services import group, submit

_SOME_MAC = "52:54:00:00:00:00"
EXPIRES_S = 1800  # fifty of them wait for each other


@dataclass(frozen=True, slots=True)
class _By:
    """Who asks, from where, and what was approved before."""

    user: User
    address: str = ""
    granted: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    """What would happen, were it asked for now."""

    planned: list[Planned]
    xml: str  # of the first one; "" for who may not see it
    warnings: tuple[str, ...] = field(default=())

    @property
    def volumes(self) -> list[NewVolume]:
        """All volumes that would be made."""
        return [volume for each in self.planned for volume in each.plan.volumes]


def create(
    wanted: Wanted, cloud: CloudInit | None = None, *, by: User, address: str = ""
) -> Operation:
    """Make a guest, or several as children of one operation.

    Raises Invalid naming each part that cannot be, Forbidden, Conflict when it fits on no
    host (placement.Refused says why), its name is taken, or a volume is in use.
    """
    _need_may(wanted, by)
    return _ordered(wanted, cloud, _By(by, address))


def order(
    wanted: Wanted,
    cloud: CloudInit | None = None,
    *,
    by: User,
    address: str = "",
    granted: str,
) -> Operation:
    """The same for what was approved ("request:7"), whatever rights `by` has.

    Its quota is charged already; host and pools are the product's to choose. Raises as
    `create`, but never Forbidden.
    """
    return _ordered(wanted, cloud, _By(by, address, granted))


def preview_order(wanted: Wanted, cloud: CloudInit | None = None) -> Preview:
    """What `order` would do now, and why. Raises as it does; changes nothing."""
    _check_cloud(cloud, wanted)
    return Preview(planning.plans(wanted, None, seeded=cloud is not None), "")


def _ordered(wanted: Wanted, cloud: CloudInit | None, asker: "_By") -> Operation:
    _check_cloud(cloud, wanted)
    planner = None if asker.granted else asker.user
    with transaction.atomic():
        # One at a time: what is promised to one must not be promised to the next.
        list(Host.objects.select_for_update().order_by("pk").values_list("pk"))
        planned = planning.plans(wanted, planner, seeded=cloud is not None)
        if len(planned) == 1:
            return _submit(planned[0], cloud, asker, None)
        parent = group(
            KIND,
            by=asker.user,
            address=asker.address,
            guest_name=f"{planned[0].plan.blueprint.name} … {planned[-1].plan.blueprint.name}",
            params={"count": len(planned)},
        )
        for each in planned:
            _submit(each, cloud, asker, parent)
    return parent


def preview(wanted: Wanted, cloud: CloudInit | None = None, *, by: User) -> Preview:
    """What `create` would do now, and why. Raises as it does; changes nothing."""
    _need_may(wanted, by)
    _check_cloud(cloud, wanted)
    planned = planning.plans(wanted, by, seeded=cloud is not None)
    xml = ""
    if may(by, Right.SEE_XML):
        xml = str(document(planned[0].plan.blueprint, password=""))
    warnings = dict.fromkeys(text for each in planned for text in each.warnings)
    return Preview(planned, xml, tuple(warnings))


def _need_may(wanted: Wanted, by: User) -> None:
    need(by, Right.CREATE)
    if wanted.host_devices or wanted.shares:
        need(by, Right.HOST_DEVICES)
    if wanted.owner not in {"", by.username} and not may(by, Right.MANAGE_USERS):
        raise Forbidden("Only an administrator may make a guest for somebody else.")
    known = User.objects.filter(username=wanted.owner, is_active=True)
    if wanted.owner and not known.exists():
        sentence = f"There is no active user {wanted.owner[:64]!r}."
        raise Invalid(sentence, errors={"owner": [sentence]})


def _check_cloud(cloud: CloudInit | None, wanted: Wanted) -> None:
    if cloud is None:
        return
    if any(card.addresses for card in cloud.network) and wanted.count > 1:
        sentence = "Several guests cannot have one address."
        raise Invalid(sentence, errors={"cloud_init.network": [sentence]})
    if cloud.network and not wanted.nics:
        sentence = "Without a network card there is nothing to give an address to."
        raise Invalid(sentence, errors={"cloud_init.network": [sentence]})
    try:
        _for_guest(cloud, "guest", _SOME_MAC).check()
    except Invalid as error:
        errors = {f"cloud_init.{part}": told for part, told in error.errors.items()}
        raise Invalid(error.detail, errors=errors) from error


def _for_guest(cloud: CloudInit, name: str, mac: str) -> CloudInit:
    """The same for one guest: its name where none was said, its first card's MAC."""
    network = tuple(replace(card, mac=card.mac or mac) for card in cloud.network)
    return replace(cloud, hostname=cloud.hostname or name, network=network)


def _submit(
    planned: Planned,
    cloud: CloudInit | None,
    asker: "_By",
    parent: Operation | None,
) -> Operation:
    plan = planned.plan
    blueprint = plan.blueprint
    params: dict[str, Any] = {
        "plan": plan.told(),
        "promise": planned.promise.told(),
        "why": list(planned.choice.why),
    }
    if asker.granted:
        params["granted"] = asker.granted
    if cloud is not None and cloud.user:
        params["login"] = cloud.user  # no secret: by whom it can be entered
    operation = submit(
        KIND,
        by=asker.user,
        guest=blueprint.uuid,
        guest_name=blueprint.name,
        host=plan.host,
        host_name=plan.host_name,
        params=params,
        parent=parent,
        address=asker.address,
        expires_s=EXPIRES_S,
    )
    _charge(planned, operation, asker.granted)
    if cloud is not None:
        hostname = "" if parent else cloud.hostname
        mac = blueprint.nics[0].mac if blueprint.nics else ""
        own = _for_guest(replace(cloud, hostname=hostname), blueprint.name, mac)
        seeding.keep(blueprint.uuid, blueprint.name, own)
    host = Host.objects.get(pk=plan.host)
    if plan.changes:
        claims.claim(operation, host, plan.changes, destroys=True)
    if plan.reads:
        claims.claim(operation, host, plan.reads, destroys=False)
    return operation


def _charge(planned: Planned, operation: Operation, granted: str) -> None:
    """Ask who keeps account of it. Raises Conflict when it may not be made."""
    blueprint = planned.plan.blueprint
    new = sum(it.capacity_bytes for it in planned.plan.volumes)
    taken = Volume.objects.filter(
        pool__host=planned.plan.host, path__in=planned.plan.changes
    )
    disk_bytes = new + sum(taken.values_list("capacity_bytes", flat=True))
    size = charging.Size(blueprint.vcpus, blueprint.memory_bytes, disk_bytes)
    coming = charging.Coming(
        blueprint.uuid, blueprint.name, operation.pk, size, blueprint.tags, granted
    )
    charging.coming(edits.project_of(blueprint.project), coming)
