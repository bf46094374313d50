"""What people can ask for: a machine, another size, more time; to change or take it back.

The quota is charged in the transaction that stores the request: both or neither.
"""

from dataclasses import dataclass

from django.db import transaction

from guests import services as guests
from guests.models import Guest
from kvmweb.accounts.models import Project, User
from kvmweb.accounts.services import Asker
from kvmweb.errors import Conflict, Forbidden, Invalid
from portal.ledger import queries as usages
from portal.ledger import services as ledger
from portal.ledger.amounts import NOTHING, Amounts
from portal.ledger.models import Quota
from portal.requests import (
    asking,
    book,
    deciding,
    messages,
    provisioning,
    resizing,
    rules,
)
from portal.requests.asking import Wish
from portal.requests.models import ApprovalRule, Request
from portal.requests.resizing import Size
from portal.requests.states import OPEN, Kind, State, need_pending

_LONGEST = asking.LEASE_MAX
_FROZEN = (
    *("name", "flavor", "vcpus", "memory_bytes", "disk_bytes", "image", "image_name"),
    *("network", "reason", "note", "lease_days", "login", "sealed"),
)


@dataclass(frozen=True, slots=True)
class Check:
    """What would happen if somebody asked for it now."""

    rule: ApprovalRule | None  # that would approve it by itself
    quota_error: str  # why it could not be asked for; "" when it could
    left: dict[str, int | None]  # of the quota, before it
    request: Request  # what it means, not stored


def ask(wish: Wish, project: Project, *, by: Asker) -> Request:
    """Ask for a machine; where a rule says so, it is approved at once.

    Raises Invalid naming each part that cannot be, Conflict when the quota does not allow
    it (naming what is used and left) or the name is taken.
    """
    request = asking.read(wish, project, by.user)
    request.address = by.address
    with transaction.atomic():
        rule = _ruled(request)
        ledger.locked(project)  # names are free and quotas counted one after the other
        asking.need_free_name(project, wish.name)
        return _stored(request, request.amounts, by, rule)


def check(
    wish: Wish, project: Project, user: User, *, instead: Request | None = None
) -> Check:
    """What would happen if somebody asked for this now. Raises Invalid as `ask`.

    With `instead` it is asked for instead of that request, whose charge counts as free.
    """
    request = asking.read(wish, project, user, instead)
    quota = Quota.objects.filter(project=project).first() or Quota(project=project)
    more = request.amounts - (instead.amounts if instead else Amounts())
    error = ""
    try:
        asking.need_free_name(project, wish.name, but=instead.pk if instead else None)
        ledger.need_room(quota, more, instead.amounts if instead else Amounts())
    except Conflict as found:
        error = found.detail
    left = usages.usage([project.pk])[project.pk].left()
    return Check(rules.approving(request), error, left, request)


def wish_of(request: Request) -> Wish:
    """What a request asks for now, as somebody would say it; its size stays."""
    return Wish(
        name=request.name,
        flavor=None,
        lease_days=request.lease_days,
        reason=request.reason,
        note=request.note,
        image=request.image_id or "",
        network=request.network,
        cloud=asking.cloud_of(request),
    )


def ask_resize(guest: Guest, size: Size, reason: str, *, by: Asker) -> Request:
    """Ask for another size of a machine of a project.

    Raises Invalid, Conflict when the quota does not allow what it would grow by, or when
    a request about the machine waits already.
    """
    size = resizing.wished(guest, size)
    request = _about(guest, Kind.RESIZE, reason, by)
    request.vcpus, request.memory_bytes = size.vcpus, size.memory_bytes
    request.disk_bytes = size.disk_bytes
    more, now = resizing.growth(request, guest), resizing.taken(guest)
    with transaction.atomic():
        return _stored(request, more, by, _ruled(request), now)


def ask_extension(guest: Guest, days: int, reason: str, *, by: Asker) -> Request:
    """Ask for so many days more for a machine of a project.

    Raises Invalid, Conflict when a request about it waits already.
    """
    if not 1 <= days <= _LONGEST:
        sentence = f"Give 1 to {_LONGEST} days."
        raise Invalid(sentence, errors={"lease_days": [sentence]})
    request = _about(guest, Kind.EXTEND, reason, by)
    request.vcpus, request.memory_bytes = guest.vcpus, guest.memory_bytes
    request.lease_days = days
    with transaction.atomic():
        return _stored(request, None, by, _ruled(request))


def change(request: Request, wish: Wish, *, by: Asker) -> Request:
    """Ask for something else instead, while nobody has decided.

    Raises as `ask`, Conflict when it is too late or it is about a machine that is there.
    """
    fresh = asking.read(wish, request.project, by.user, request)
    with transaction.atomic():
        row = deciding.locked(request)
        need_pending(row.name, row.state)
        if row.kind != Kind.NEW:
            raise Conflict("Cancel this request and make another one instead.")
        rule = _ruled(fresh)
        ledger.locked(row.project)
        asking.need_free_name(row.project, fresh.name, but=row.pk)
        ledger.change(row.topic, fresh.amounts)
        for name in _FROZEN:
            setattr(row, name, getattr(fresh, name))
        book.record("request.change", row, by)
        book.happened(row, "changed", who=by.user.username)
        return deciding.by_rule(row, rule) if rule else row


def cancel(request: Request, *, by: Asker) -> Request:
    """Take it back, while nobody has decided. Raises Conflict when it is too late."""
    with transaction.atomic():
        row = deciding.locked(request)
        row.sealed = ""
        book.became(row, State.CANCELLED, who=by.user.username)
        ledger.release(row.topic)
        book.record("request.cancel", row, by)
    return row


def _ruled(request: Request) -> ApprovalRule | None:
    """The rule that approves it by itself; then hosts are locked, before any quota is.

    Whoever makes guests locks in that order, so nobody waits for each other.
    """
    rule = rules.approving(request)
    if rule is not None:
        provisioning.lock_hosts()
    return rule


def _stored(
    request: Request,
    amounts: Amounts | None,
    by: Asker,
    rule: ApprovalRule | None,
    now: Amounts = NOTHING,
) -> Request:
    """The request in its row, charged, and decided where a rule says so."""
    request.save()
    if amounts is not None:
        project, subject = request.project, request.topic
        ledger.reserve(project, subject, amounts, request.name, now=now)
    book.record("request.ask", request, by)
    book.happened(request, "asked", who=by.user.username, why=request.reason)
    if rule is not None:
        request = deciding.by_rule(request, rule)
    if request.pending:
        messages.asked(request)
    return request


def _about(guest: Guest, kind: Kind, reason: str, by: Asker) -> Request:
    """A request about a machine that is there, not stored yet."""
    guests.need_known(guest)
    if guest.project is None:
        raise Forbidden(f"{guest.name} is in no project: nobody decides about it.")
    waiting = Request.objects.filter(guest=guest.pk, kind=kind, state__in=OPEN)
    if waiting.exists():
        raise Conflict(f"A request of this kind for {guest.name} waits already.")
    if len(reason) > asking.REASON_MAX:
        sentence = f"Say it in at most {asking.REASON_MAX} letters."
        raise Invalid(sentence, errors={"reason": [sentence]})
    return Request(
        kind=kind,
        project=guest.project,
        requester=by.user,
        author=by.user.username,
        address=by.address,
        name=guest.name[:63],
        guest=guest.pk,
        reason=reason.strip(),
    )
