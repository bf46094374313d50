"""Charging projects. Each call locks the quota's row, so that no two count at once.

Called inside the transaction of what is charged: both come true or neither.
"""

from dataclasses import replace
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from kvmweb.accounts.models import Project
from kvmweb.errors import Conflict
from kvmweb.sizes import amount
from portal.ledger import queries
from portal.ledger.amounts import NOTHING, WORDS, Amounts, Limits
from portal.ledger.announce import changed, charged
from portal.ledger.models import Charge, Quota

_BYTES = {"memory_bytes", "disk_bytes"}


def of_guest(uuid: UUID | str) -> str:
    """The subject of a guest's charge."""
    return f"guest:{uuid}"


def reserve(
    project: Project,
    subject: str,
    amounts: Amounts,
    label: str,
    *,
    operation: UUID | None = None,
    now: Amounts = NOTHING,
) -> Charge:
    """Charge for what is to come; `now` is what the same guest takes up already.

    Raises Conflict naming what would be too much, what is taken and what is left.
    """
    with transaction.atomic():
        quota = locked(project)
        need_room(quota, amounts, now)
        charge = Charge.objects.create(
            project=project,
            subject=subject,
            label=label,
            state=Charge.State.RESERVED,
            operation=operation,
            **amounts.told(),
        )
        changed(project.pk)
    return charge


def settle(subject: str, to_subject: str, amounts: Amounts | None = None) -> None:
    """What was asked for is there now, as this subject; nothing when it was released."""
    with transaction.atomic():
        charge = _charge(subject)
        if charge is None:
            return
        Charge.objects.filter(subject=to_subject).exclude(pk=charge.pk).delete()
        charge.subject, charge.state = to_subject, Charge.State.USED
        charge.at, charge.operation = timezone.now(), None
        _fill(charge, amounts or charge.amounts)
        charge.save()
        charged(to_subject)
        changed(charge.project_id)


def change(subject: str, amounts: Amounts, *, need: bool = True) -> None:
    """It takes up this from now on.

    With `need` it is refused like `reserve` where it grows beyond the quota; without, it
    came true already, and the ledger says so.
    """
    with transaction.atomic():
        charge = _charge(subject)
        if charge is None or charge.amounts == amounts:
            return
        if need:
            grown = _grown(charge.amounts, amounts)
            need_room(locked(charge.project), grown, charge.amounts)
        _fill(charge, amounts)
        charge.save()
        charged(subject)
        changed(charge.project_id)


def release(subject: str) -> None:
    """It takes up nothing any more; nothing when it took none."""
    with transaction.atomic():
        charge = _charge(subject)
        if charge is not None:
            charge.delete()
            charged(subject)
            changed(charge.project_id)


def set_quota(project: Project, limits: dict[str, int | None]) -> Quota:
    """What it may have from now on; what it has already stays."""
    with transaction.atomic():
        quota = locked(project)
        for name, most in limits.items():
            setattr(quota, name, most)
        quota.save()
        changed(project.pk)
    return quota


def locked(project: Project) -> Quota:
    """Its quota; nobody else charges this project until we commit."""
    Quota.objects.get_or_create(project=project)
    return Quota.objects.select_for_update().get(project=project)


def need_room(quota: Quota, more: Amounts, now: Amounts) -> None:
    """Nothing. Raises Conflict when so much more would be more than it may have.

    `now` is what the same guest takes up already.
    """
    whole = now + more
    too_large = [
        name for name in quota.guest_limits.exceeded(whole) if getattr(more, name) > 0
    ]
    if too_large:
        raise Conflict(
            f"One guest of {quota.project} may not be so large: "
            f"{_listed(too_large, quota.guest_limits, whole)}."
        )
    taken = queries.taken(quota.project_id)
    over = [
        name for name in quota.limits.exceeded(taken + more) if getattr(more, name) > 0
    ]
    if over:
        left = quota.limits.left(taken)
        told = "; ".join(
            f"{WORDS[name]}: {_amount(name, getattr(more, name))} wanted, "
            f"{_amount(name, getattr(taken, name))} of "
            f"{_amount(name, getattr(quota.limits, name))} taken, "
            f"{_amount(name, left[name] or 0)} left"
            for name in over
        )
        raise Conflict(
            f"The quota of {quota.project} does not allow this. {told}.",
            hint="Ask for less, delete what is not needed, or ask for a larger quota.",
        )


def _charge(subject: str) -> Charge | None:
    """The charge, with its project's quota locked first, as everybody does."""
    rows = Charge.objects.filter(subject=subject)
    found = rows.select_related("project").first()
    if found is None:
        return None
    locked(found.project)
    return rows.select_related("project").first()


def _fill(charge: Charge, amounts: Amounts) -> None:
    for name, value in replace(amounts, guests=charge.guests).told().items():
        setattr(charge, name, value)


def _grown(was: Amounts, now: Amounts) -> Amounts:
    """What is more; what is less asks for nothing."""
    more = now - replace(was, guests=now.guests)
    return Amounts(*(max(0, each) for each in more.each()))


def _listed(names: list[str], limits: Limits, wanted: Amounts) -> str:
    return "; ".join(
        f"{WORDS[name]}: {_amount(name, getattr(wanted, name))} wanted, "
        f"{_amount(name, getattr(limits, name))} allowed"
        for name in names
    )


def _amount(name: str, value: int) -> str:
    return amount(value) if name in _BYTES else str(value)
