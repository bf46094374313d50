"""Lists of people, tokens and the audit record."""

from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q, QuerySet

from kvmweb.accounts.models import AuditEntries, AuditEntry, Token, User
from kvmweb.accounts.second.models import App, Passkey

OUTCOMES = ("accepted", "succeeded", "failed", "refused", "throttled", "cancelled")


@dataclass(frozen=True, slots=True)
class AuditFilters:
    """What of the audit record is asked for; "" means all."""

    actor: str = ""
    action: str = ""
    outcome: str = ""
    target: str = ""
    search: str = ""


def people(search: str = "") -> QuerySet[User]:
    """Everybody, by name, with `has_second`: whether they have a second factor.

    `search` looks at usernames, names and addresses.
    """
    mine = {"user": OuterRef("pk")}
    has_one = Exists(App.objects.filter(**mine)) | Exists(
        Passkey.objects.filter(**mine)
    )
    rows = User.objects.annotate(has_second=has_one)
    if search:
        rows = rows.filter(
            Q(username__icontains=search)
            | Q(name__icontains=search)
            | Q(email__icontains=search)
        )
    return rows


def tokens(user: User) -> QuerySet[Token]:
    """Somebody's tokens that were not revoked, newest first.

    With a token for one project only those for it.
    """
    rows = Token.objects.filter(user=user, revoked_at=None).select_related("project")
    return rows if user.within is None else rows.filter(project=user.within)


def audit(filters: AuditFilters) -> AuditEntries:
    """The audit record, newest first. Actions match from their beginning: "guest."."""
    rows = AuditEntry.objects.all()
    if filters.actor:
        rows = rows.filter(actor=filters.actor)
    if filters.action:
        rows = rows.filter(action__startswith=filters.action)
    if filters.outcome:
        rows = rows.filter(outcome=filters.outcome)
    if filters.target:
        rows = rows.filter(target=filters.target)
    if filters.search:
        rows = rows.filter(
            Q(actor__icontains=filters.search)
            | Q(action__icontains=filters.search)
            | Q(target__icontains=filters.search)
            | Q(address__startswith=filters.search)
        )
    return rows
