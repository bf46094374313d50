"""Ask for new guests: decide where, promise it, write down operations, return at once."""

from dataclasses import dataclass, field, replace
from typing import Any

from django.db import transaction

from guests.creation import planning
from guests.creation.blueprint import document
from guests.creation.drafting import Planned
from guests.creation.plan import KIND, NewVolume
from guests.creation.wanted import Wanted
from guests.images import seeding
from guests.images.seed import CloudInit
from hosts.models import Host
from hosts.storage import claims
from kvmweb.accounts.gate import Right, may, need
from kvmweb.accounts.models import User
from kvmweb.errors import Forbidden, Invalid
from kvmweb.operations.models import Operation
from kvmweb.operations.services import group, submit

_SOME_MAC = "52:54:00:00:00:00"
EXPIRES_S = 1800  # fifty of them wait for each other


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
    _check_cloud(cloud, wanted)
    with transaction.atomic():
        # One at a time: what is promised to one must not be promised to the next.
        list(Host.objects.select_for_update().order_by("pk").values_list("pk"))
        planned = planning.plans(wanted, by, seeded=cloud is not None)
        if len(planned) == 1:
            return _submit(planned[0], cloud, by, address, None)
        parent = group(
            KIND,
            by=by,
            address=address,
            guest_name=f"{planned[0].plan.blueprint.name} … {planned[-1].plan.blueprint.name}",
            params={"count": len(planned)},
        )
        for each in planned:
            _submit(each, cloud, by, address, parent)
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
    by: User,
    address: str,
    parent: Operation | None,
) -> Operation:
    plan = planned.plan
    blueprint = plan.blueprint
    params: dict[str, Any] = {
        "plan": plan.told(),
        "promise": planned.promise.told(),
        "why": list(planned.choice.why),
    }
    operation = submit(
        KIND,
        by=by,
        guest=blueprint.uuid,
        guest_name=blueprint.name,
        host=plan.host,
        host_name=plan.host_name,
        params=params,
        parent=parent,
        address=address,
        expires_s=EXPIRES_S,
    )
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
