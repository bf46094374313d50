"""What can be asked about API tokens: make one, revoke one."""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from kvmweb.accounts import audit, bearer
from kvmweb.accounts.gate import roles_of, sees_all
from kvmweb.accounts.models import Project, Token, User
from kvmweb.accounts.services import Asker
from kvmweb.errors import Conflict, Forbidden, Invalid

MOST = 100  # of one user
LONGEST = timedelta(days=3660)


def make(  # noqa: PLR0913  # the columns of a token
    user: User,
    name: str,
    *,
    scope: str,
    expires_at: datetime | None,
    by: Asker,
    project: Project | None = None,
    parent: Token | None = None,
) -> tuple[Token, bearer.Secret]:
    """A new token and its text, which nobody can read again.

    With a project it reaches nothing else. One made with another token (`parent`) does
    not outlive that, and reaches no further. Raises Invalid for an end in the past,
    Conflict when there are too many, Forbidden for a project that is not theirs.
    """
    if parent is not None and parent.project is not None:
        project = project or parent.project
    _need_reach(user, project, parent)
    if parent is not None and parent.expires_at is not None:
        expires_at = min(expires_at or parent.expires_at, parent.expires_at)
    _need_fitting_end(expires_at)
    secret = bearer.new_secret()
    with transaction.atomic():
        if user.tokens.filter(revoked_at=None).count() >= MOST:
            raise Conflict(
                f"{user.username} has {MOST} tokens.", hint="Revoke one first."
            )
        token = Token.objects.create(
            user=user,
            name=name,
            scope=scope,
            project=project,
            prefix=secret.prefix,
            digest=secret.digest,
            expires_at=expires_at,
        )
        within = project.name if project else None
        _record("token.make", token, by, scope=scope, project=within)
    return token, secret


def revoke(token: Token, *, by: Asker) -> None:
    """End a token at once and for good."""
    with transaction.atomic():
        now = timezone.now()
        ended = Token.objects.filter(pk=token.pk, revoked_at=None)
        if ended.update(revoked_at=now):
            _record("token.revoke", token, by)


def _need_reach(user: User, project: Project | None, parent: Token | None) -> None:
    if project is None:
        return
    beyond = parent is not None and parent.project_id not in {None, project.pk}
    if beyond or not (sees_all(user) or project.pk in roles_of(user)):
        raise Forbidden("A token reaches no project that its user is not in.")


def _need_fitting_end(expires_at: datetime | None) -> None:
    now = timezone.now()
    if expires_at is not None and not now < expires_at <= now + LONGEST:
        sentence = "A token ends in the future, within ten years."
        raise Invalid(sentence, errors={"expires_at": [sentence]})


def _record(action: str, token: Token, by: Asker, **details: object) -> None:
    audit.record(
        action,
        actor=by.user,
        target=f"token:{token.pk}",
        outcome="succeeded",
        address=by.address,
        details={"name": token.name, "user": token.user.username, **details},
    )
