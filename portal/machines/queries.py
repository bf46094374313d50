"""What the pages of machines read, in a fixed number of queries."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from uuid import UUID

from django.core.paginator import Page, Paginator
from django.db.models import Q, QuerySet

from guests import access as guest_access
from guests import queries as guest_queries
from guests import services as guests
from guests.actions import KINDS, Action, refusal
from guests.models import Guest
from guests.snapshots import queries as snapshots
from guests.snapshots.models import Snapshot
from hosts.models import Host
from kvmweb.accounts.gate import Right
from kvmweb.accounts.models import User
from kvmweb.operations import queries as operations
from kvmweb.operations.models import Operation
from portal.leases import access as lease_access
from portal.leases import queries as leases
from portal.leases.allowance import Allowance
from portal.leases.models import LONGEST_DAYS, Lease, Policy
from portal.ledger import queries as ledger
from portal.machines import access, reaching
from portal.requests.models import Request
from portal.requests.states import OPEN

PAGE = 50
USUAL_DAYS = 30  # what somebody who may extend as they like is offered
_MAKING = "guest.create"
_ASKED_RIGHTS = (Right.OPERATE, Right.CONSOLE, Right.SNAPSHOT, Right.DELETE, Right.EDIT)


@dataclass(slots=True)
class Machine:
    """A guest as its people see it: how it is, how to reach it, how long it stays."""

    guest: Guest
    lease: Lease | None
    allowance: Allowance
    login: str
    rights: frozenset[str]
    decides: bool  # they may set its end as they like
    fitting: list[str] = field(default_factory=list)  # actions its state allows

    @property
    def address(self) -> str:
        """Where to connect to."""
        return reaching.best_address(self.guest.addresses.split())

    @property
    def ssh(self) -> str:
        """What to type in a terminal."""
        return reaching.ssh_line(self.address, self.login)

    @property
    def extend_days(self) -> int:
        """What one press of the button gives; 0: they must ask."""
        if self.lease is None or "operate" not in self.rights:
            return 0
        return USUAL_DAYS if self.decides else self.allowance.days

    @property
    def most_days(self) -> int:
        """The most that can be had without asking."""
        if self.lease is None or "operate" not in self.rights:
            return 0
        return LONGEST_DAYS if self.decides else self.allowance.days


@dataclass(frozen=True, slots=True)
class Whole:
    """Everything of one machine's page."""

    snapshots: list[Snapshot]
    most_snapshots: int | None
    operations: list[Operation]
    requests: list[Request]  # about it, that wait or are carried out


def listing(user: User, search: str = "", number: str = "1") -> Page[Guest]:
    """A page of one's own machines by name; `machines` says the rest of them."""
    rows = access.mine(user)
    for word in search.split()[:8]:
        about = (
            Q(name__icontains=word)
            | Q(tag_words__icontains=word)
            | Q(addresses__icontains=word)
            | Q(project__name__icontains=word)
        )
        rows = rows.filter(about)
    rows = rows.select_related("project", "owner").defer("disks", "nics", "uses")
    return Paginator(rows.order_by("name", "uuid"), PAGE).get_page(number)


def machines(guests_: Iterable[Guest], user: User) -> list[Machine]:
    """These guests as machines. Five queries and Redis once, however many there are."""
    rows = guest_queries.dressed(guests_)
    uuids = [each.pk for each in rows]
    lent = leases.of_guests(uuids)
    rules = leases.policies({it.project_id for it in lent.values() if it.project_id})
    logins = _logins(uuids)
    silent = _silent(rows)
    found = []
    for guest in rows:
        lease = lent.get(guest.pk)
        rule = rules.get(lease.project_id) if lease and lease.project_id else None
        rights = _rights(user, guest)
        found.append(
            Machine(
                guest=guest,
                lease=lease,
                allowance=_allowance(lease, rule),
                login=logins.get(guest.pk, ""),
                rights=rights,
                decides=lease_access.decides(user, guest.project_id),
                fitting=_fitting(guest, rights, silent),
            )
        )
    return found


def whole(guest: Guest, user: User) -> Whole:
    """The rest of one machine's page. A fixed number of queries."""
    filters = operations.Filters(guest=guest.pk)
    most = None
    if guest.project_id is not None:
        most = ledger.usage([guest.project_id])[guest.project_id].snapshots
    asked = Request.objects.filter(guest=guest.pk, state__in=OPEN)
    return Whole(
        snapshots=snapshots.tree(guest),
        most_snapshots=most,
        operations=operations.for_page(user, operations.listing(user, filters)[:8]),
        requests=list(asked.order_by("created_at")),
    )


def actions(guest: Guest, user: User) -> list[Action]:
    """The buttons of its page, with why not."""
    return guests.offered(guest, user, guest.active_operation)


def _rights(user: User, guest: Guest) -> frozenset[str]:
    return frozenset(
        right.value
        for right in _ASKED_RIGHTS
        if guest_access.may_on(user, guest, right)
    )


def _allowance(lease: Lease | None, rule: Policy | None) -> Allowance:
    if lease is None or rule is None:
        return Allowance()
    return leases.allowance_of(lease, rule)


def _logins(uuids: Collection[UUID]) -> dict[UUID, str]:
    """By which user each was made to be entered, where that is known. One query."""
    rows: QuerySet[Operation] = Operation.objects.filter(
        kind=_MAKING, guest__in=uuids, params__has_key="login"
    )
    return {
        guest: login
        for guest, login in rows.values_list("guest", "params__login")
        if guest is not None
    }


def _silent(rows: list[Guest]) -> set[int]:
    """The hosts of these that do not answer. One query."""
    hosts = {each.host_id for each in rows if each.host_id is not None}
    down = Host.objects.filter(pk__in=hosts).exclude(state=Host.State.UP)
    return set(down.values_list("pk", flat=True))


def _fitting(guest: Guest, rights: frozenset[str], silent: set[int]) -> list[str]:
    """What can be asked of it now."""
    away = guest.host_id is None or guest.host_id in silent
    if "operate" not in rights or away or guest.active_operation or guest.template:
        return []
    reason, persistent = guest.state_reason, guest.persistent
    return [
        name
        for name in KINDS
        if guest.state != "unknown"
        and not refusal(
            name, guest.name, guest.state, reason=reason, persistent=persistent
        )
    ]
