"""What approvers can ask for: yes, a smaller yes, no, once more; several at once."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction

from guests.creation.wanted import whole_disk, whole_memory
from kvmweb.accounts.models import User
from kvmweb.accounts.services import Asker
from kvmweb.errors import AppError, Conflict, Forbidden, Invalid
from portal import refs
from portal.flavors import queries as flavors
from portal.flavors.models import Flavor
from portal.ledger import services as ledger
from portal.refs import Ref
from portal.requests import (
    asking,
    book,
    messages,
    plugs,
    provisioning,
    resizing,
    rules,
)
from portal.requests.models import ApprovalRule, Request
from portal.requests.states import Kind, State, need_pending

_NUMBERS = ("vcpus", "memory_bytes", "disk_bytes", "lease_days")


@dataclass(frozen=True, slots=True)
class Smaller:
    """What an approver gives instead of what was asked for; None: as it was asked."""

    flavor: Ref | None = None
    vcpus: int | None = None
    memory_bytes: int | None = None
    disk_bytes: int | None = None
    lease_days: int | None = None


AS_ASKED = Smaller()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one of several decisions."""

    id: int
    state: str  # of the request now
    error: str = ""  # why it could not be decided so


def approve(
    request: Request, *, by: Asker, note: str = "", smaller: Smaller = AS_ASKED
) -> Request:
    """Say yes: what is approved is frozen, and its operation is submitted.

    Raises Forbidden for one's own, Invalid for what is not smaller, Conflict when it is
    decided already or fits nowhere now (then it goes on waiting).
    """
    _check_note(note)
    with transaction.atomic():
        row = locked(request)
        need_pending(row.name, row.state)
        if row.requester_id == by.user.pk and not rules.own_allowed(row):
            raise Forbidden(
                "Nobody approves their own request: another approver has to."
            )
        _shrink(row, smaller)
        book.decided(row, by.user, by.user.username, note)
        book.became(row, State.APPROVED, who=by.user.username, why=note)
        _begin(row, by.user)
        book.record("request.approve", row, by, note=note, instead_of=row.asked)
        messages.decided(row)
    return row


def by_rule(request: Request, rule: ApprovalRule) -> Request:
    """Say yes because a rule does; where it fits nowhere now, it waits for a person."""
    try:
        with transaction.atomic():
            row = locked(request)
            book.decided(row, None, f"rule: {rule.name}", "")
            why = f"The rule “{rule.name}” approves it by itself."
            book.became(row, State.APPROVED, who=book.SYSTEM, why=why)
            _begin(row, None)
            book.record("request.approve", row, None, rule=rule.name)
            messages.decided(row)
            return row
    except AppError as error:
        book.happened(
            request,
            "waits",
            who=book.SYSTEM,
            why=f"The rule “{rule.name}” would approve it, but: {error.detail}",
        )
        return request


def reject(request: Request, *, by: Asker, note: str = "") -> Request:
    """Say no; its quota is free again. Raises Conflict when it is decided already."""
    _check_note(note)
    with transaction.atomic():
        row = locked(request)
        need_pending(row.name, row.state)
        book.decided(row, by.user, by.user.username, note)
        row.sealed = ""
        book.became(row, State.REJECTED, who=by.user.username, why=note)
        ledger.release(row.topic)
        book.record("request.reject", row, by, note=note)
        messages.decided(row)
    return row


def retry(request: Request, *, by: Asker) -> Request:
    """Try once more what was approved and failed; it is charged again.

    Raises Conflict when it did not fail, when the quota does not allow it any more, or
    when it fits nowhere.
    """
    with transaction.atomic():
        row = locked(request)
        if row.state != State.FAILED:
            raise Conflict(
                f"The request for {row.name} did not fail: it is {row.state}."
            )
        _charge_again(row)
        row.failure = ""
        why = "It is tried once more."
        book.became(row, State.APPROVED, who=by.user.username, why=why)
        _begin(row, by.user)
        book.record("request.retry", row, by)
    return row


def _charge_again(row: Request) -> None:
    """Reserve what a request that failed asks for. Raises Conflict."""
    if row.kind == Kind.RESIZE:
        guest = provisioning.target_of(row)
        more, now = resizing.growth(row, guest), resizing.taken(guest)
        ledger.reserve(row.project, row.topic, more, row.name, now=now)
    elif row.kind == Kind.NEW:
        provisioning.lock_hosts()
        ledger.locked(row.project)
        asking.need_free_name(row.project, row.name)
        row.guest = None
        ledger.reserve(row.project, row.topic, row.amounts, row.name)


VERBS = {"approve": approve, "reject": reject}


def decide(
    requests: Sequence[Request], decision: str, *, by: Asker, note: str = ""
) -> list[Outcome]:
    """Approve or reject several, each for itself: one that cannot be stops no other."""
    verb = VERBS[decision]
    outcomes = []
    for request in requests:
        try:
            row = verb(request, by=by, note=note)
        except AppError as error:
            outcomes.append(Outcome(request.pk, request.state, str(error)))
        else:
            outcomes.append(Outcome(row.pk, row.state))
    return outcomes


def own_allowed(request: Request) -> bool:
    """Whether a rule says that approvers may approve this one when it is their own."""
    return rules.own_allowed(request)


def locked(request: Request) -> Request:
    """The request as it is now; nobody else changes it until we commit."""
    rows = Request.objects.select_for_update(of=("self",))
    people = ("project", "requester", "flavor", "image", "decided_by")
    return rows.select_related(*people).get(pk=request.pk)


def _begin(row: Request, approver: User | None) -> None:
    """What was approved is carried out; it is done at once where no host is needed."""
    if row.kind == Kind.EXTEND:
        guest = provisioning.target_of(row)
        plugs.extend(guest.pk, row.lease_days, approver)
        book.became(row, State.READY, who=book.SYSTEM, why="Its end was moved.")
        return
    operation = provisioning.carry_out(row, approver)
    row.operation, row.guest = operation.pk, operation.guest
    if row.kind == Kind.NEW:
        ledger.change(row.topic, row.amounts)
    book.became(row, State.PROVISIONING, who=book.SYSTEM)


def _shrink(row: Request, smaller: Smaller) -> None:
    """Make it what the approver gives. Raises Invalid for what is more than was asked."""
    if smaller == AS_ASKED:
        return
    before = {name: getattr(row, name) for name in _NUMBERS}
    if smaller.flavor is not None:
        row.flavor = _flavor(row, smaller.flavor)
        for name in ("vcpus", "memory_bytes", "disk_bytes"):
            setattr(row, name, getattr(row.flavor, name))
    for name in _NUMBERS:
        if (given := getattr(smaller, name)) is not None:
            setattr(row, name, given)
    row.memory_bytes = whole_memory(row.memory_bytes)
    row.disk_bytes = whole_disk(row.disk_bytes)
    errors = {
        name: [_too_much(name)]
        for name in _NUMBERS
        if not _least(row, name) <= getattr(row, name) <= before[name]
    }
    if errors:
        raise Invalid("Approve what was asked for, or less.", errors=errors)
    row.asked = {name: was for name, was in before.items() if was != getattr(row, name)}


def _least(row: Request, name: str) -> int:
    """The least that makes sense: a disk holds its image."""
    if name == "disk_bytes" and row.image is not None:
        return max(row.image.virtual_size_bytes, row.image.min_disk_bytes, 1)
    if row.kind == Kind.NEW or name in {"vcpus", "memory_bytes"}:
        return 1
    return 0


def _too_much(name: str) -> str:
    words = name.removesuffix("_bytes").replace("_", " ")
    return f"Give as many {words} as were asked for, or fewer, but enough to run."


def _flavor(row: Request, ref: Ref) -> Flavor:
    flavor = refs.found(flavors.for_project(row.project), ref)
    if flavor is None or row.kind != Kind.NEW:
        sentence = f"There is no flavor {str(ref)[:64]!r} for this."
        raise Invalid(sentence, errors={"flavor": [sentence]})
    return flavor


def _check_note(note: str) -> None:
    if len(note) > asking.NOTE_MAX:
        sentence = f"Say it in at most {asking.NOTE_MAX} letters."
        raise Invalid(sentence, errors={"note": [sentence]})
