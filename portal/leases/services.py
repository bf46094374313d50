"""What a person can ask of leases: begin one, extend it, set its end, and the rules."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from guests import services as guests
from guests.book import announce
from guests.models import Guest
from kvmweb.accounts import audit
from kvmweb.accounts.models import Project, User
from kvmweb.errors import AppError, Conflict, Forbidden, Invalid
from kvmweb.operations.ending import SYSTEM
from kvmweb.operations.models import Operation
from portal.leases import access, messages, queries
from portal.leases.models import LONGEST_DAYS, Lease, Looking, Policy
from portal.leases.steps import State

DELETING = "guest.delete"
_PAST = timedelta(days=1)  # how far back an end may be set


@dataclass(frozen=True, slots=True)
class Terms:
    """What is to be so of a lease; None stays as it is."""

    ends_at: datetime | None = None
    keeps_days: int | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """What members of a project may do without asking, and how long its guests are kept."""

    extend_days: int
    extend_most_days: int
    keeps_days: int


def begin(guest: UUID, project: Project | None, days: int) -> Lease:
    """Lend a guest for so many days from now on; one it had is begun anew."""
    _need_days(days)
    now = timezone.now()
    name = Guest.objects.filter(pk=guest).values_list("name", flat=True).first()
    policy = queries.policy(project.pk if project else None)
    with transaction.atomic():
        lease, _ = Lease.objects.select_for_update().get_or_create(
            guest=guest, defaults={"ends_at": now, "guest_name": name or _asked(guest)}
        )
        lease.begin_again(now + timedelta(days=days))
        lease.project, lease.began_at, lease.extended_days = project, now, 0
        lease.keeps_days = policy.keeps_days
        lease.save()
        _record("lease.begin", lease, None, days=days)
    return lease


def lend(guest: Guest, days: int, *, by: User, address: str = "") -> Lease:
    """Give a guest an end that had none, for those who decide. Raises Conflict, Forbidden."""
    if not access.decides(by, guest.project_id):
        raise Forbidden("Only those who decide about requests give a machine an end.")
    guests.need_known(guest)
    if queries.of_guests([guest.pk]):
        raise Conflict(f"{guest.name} has an end already: set that one.")
    with transaction.atomic():
        lease = begin(guest.pk, guest.project, days)
        _record("lease.lend", lease, by, address, days=days)
        announce({guest.pk})
    return lease


def extend(
    guest: UUID, days: int, *, by: User | None, address: str = "", asked: bool = False
) -> Lease:
    """Let a guest stay so many days longer: from its end, or from now when that is past.

    Those who decide may always; others as far as the rule of the project goes; `asked`:
    somebody decided. Raises Invalid, and Conflict when the rule does not give so much,
    there is no lease, or the guest is being deleted.
    """
    _need_days(days)
    with transaction.atomic():
        lease = _locked(guest)
        _need_not_too_late(lease)
        if not asked and by is not None and not access.decides(by, lease.project_id):
            _use_rule(lease, days)
        now = timezone.now()
        lease.began_at = now
        end = max(now, lease.ends_at) + timedelta(days=days)
        lease.begin_again(min(end, now + timedelta(days=LONGEST_DAYS)))
        lease.save()
        _record("lease.extend", lease, by, address, days=days)
        _tell_extended(lease, by)
    return lease


def extend_all(
    leases: Iterable[Lease], days: int, *, by: User, address: str = ""
) -> list[str]:
    """Let several stay longer; why others cannot, a sentence each."""
    refused = []
    for lease in leases:
        try:
            extend(lease.guest, days, by=by, address=address)
        except AppError as error:
            refused.append(f"{lease.guest_name}: {error}")
    return refused


def change(lease: Lease, terms: Terms, *, by: User, address: str = "") -> Lease:
    """Set its end, or how long its guest is kept after it; for those who decide.

    An end in the past, a day at most, is an end now: it is said, and the guest is shut
    down an hour later. Raises Invalid, and Conflict when the guest is being deleted.
    """
    if terms.keeps_days is not None and not 0 <= terms.keeps_days <= LONGEST_DAYS:
        raise _invalid("keeps_days", f"Give 0 to {LONGEST_DAYS} days.")
    now = timezone.now()
    with transaction.atomic():
        lease = _locked(lease.guest)
        _need_not_too_late(lease)
        if terms.ends_at is not None:
            if not now - _PAST <= terms.ends_at <= now + timedelta(days=LONGEST_DAYS):
                sentence = f"Give a time from a day ago to {LONGEST_DAYS} days ahead."
                raise _invalid("ends_at", sentence)
            lease.began_at = now
            lease.begin_again(terms.ends_at)
        if terms.keeps_days is not None:
            _keep_for(lease, terms.keeps_days)
        lease.save()
        told = {"ends_at": lease.ends_at.isoformat(), "keeps_days": lease.keeps_days}
        _record("lease.edit", lease, by, address, **told)
        _tell_extended(lease, by)
    return lease


def set_policy(project: Project, rule: Rule, *, by: User, address: str = "") -> Policy:
    """What members of the project may do with leases from now on. Raises Invalid."""
    told = {
        "extend_days": rule.extend_days,
        "extend_most_days": rule.extend_most_days,
        "keeps_days": rule.keeps_days,
    }
    errors = {
        name: [f"Give 0 to {LONGEST_DAYS} days."]
        for name, days in told.items()
        if not 0 <= days <= LONGEST_DAYS
    }
    if errors:
        raise Invalid("This cannot be the rule.", errors=errors)
    with transaction.atomic():
        policy, _ = Policy.objects.update_or_create(project=project, defaults=told)
        audit.record(
            "lease.policy",
            actor=by,
            target=project.topic,
            outcome="succeeded",
            address=address,
            details=told | {"name": project.name},
        )
    return policy


def go_on(*, by: User, address: str = "") -> None:
    """These rows are true: leases are looked after again. Raises Conflict when they are."""
    with transaction.atomic():
        if not Looking.objects.filter(held=True).update(held=False):
            raise Conflict("Leases are being looked after already.")
        audit.record(
            "lease.go-on",
            actor=by,
            target="leases",
            outcome="succeeded",
            address=address,
        )


def _locked(guest: UUID) -> Lease:
    rows = Lease.objects.select_for_update(of=("self",)).select_related("project")
    lease = rows.filter(guest=guest).first()
    if lease is None or lease.state == State.ENDED:
        raise Conflict("It has no lease: it stays as long as somebody wants it.")
    there = Guest.objects.select_related("project").filter(pk=guest).first()
    if there is not None:
        lease.project = there.project  # it may have been given to another one
    return lease


def _need_not_too_late(lease: Lease) -> None:
    going = Operation.objects.filter(
        guest=lease.guest, kind=DELETING, state__in=Operation.ACTIVE
    ).first()
    if going is not None:
        name = lease.guest_name
        raise Conflict(f"{name} is being deleted.", operation=str(going.pk))


def _use_rule(lease: Lease, days: int) -> None:
    """Count the days as given by the rule. Raises Conflict when it does not give them."""
    if refusal := queries.allowance_of(lease).refusal(days):
        raise Conflict(refusal, hint="Ask for more time, and somebody decides.")
    lease.extended_days += days


def _keep_for(lease: Lease, days: int) -> None:
    if lease.keeps_until is not None:
        lease.keeps_until += timedelta(days=days - lease.keeps_days)
        lease.warned_at = None
    lease.keeps_days = days


def _tell_extended(lease: Lease, by: User | None) -> None:
    rows = Guest.objects.select_related("owner", "project")
    guest = rows.filter(pk=lease.guest).first()
    if guest is not None:
        messages.extended(lease, guest, by)
        announce({guest.pk})


def _asked(guest: UUID) -> str:
    """The name it had when it was asked for; its host may not have said it yet."""
    rows = Operation.objects.filter(guest=guest).order_by("-created_at")
    return rows.values_list("guest_name", flat=True).first() or str(guest)


def _need_days(days: int) -> None:
    if not 1 <= days <= LONGEST_DAYS:
        raise _invalid("days", f"Give 1 to {LONGEST_DAYS} days.")


def _invalid(name: str, sentence: str) -> Invalid:
    return Invalid(sentence, errors={name: [sentence]})


def _record(
    action: str, lease: Lease, by: User | None, address: str = "", **details: object
) -> None:
    audit.record(
        action,
        actor=by or SYSTEM,
        target=f"guest:{lease.guest}",
        outcome="succeeded",
        address=address,
        details={"name": lease.guest_name, **details},
    )
