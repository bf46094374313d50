"""What can be asked about sessions: end one, end all others."""

from django.db import transaction

from kvmweb.accounts import audit, services
from kvmweb.accounts.models import User
from kvmweb.accounts.services import Asker
from kvmweb.accounts.sessions.models import Visit
from kvmweb.errors import NotFound


def end(visit: Visit, *, by: Asker) -> None:
    """End one session at once; its open pages hear of it."""
    with transaction.atomic():
        user = _user_of(visit)
        Visit.objects.filter(pk=visit.pk).delete()
        _record("session.end", user, by, device=visit.device, was_at=visit.address)
        services.rights_changed(user.pk)


def end_others(user: User, session_key: str, *, by: Asker) -> int:
    """End every session of theirs but the one with this key; how many there were."""
    with transaction.atomic():
        others = Visit.objects.filter(user=user).exclude(session_key=session_key)
        count, _ = others.delete()
        if count:
            _record("session.end-others", user, by, count=count)
        services.rights_changed(user.pk)
    return count


def end_all(user: User, *, by: Asker) -> int:
    """End every session of somebody; how many there were. Tokens are no sessions."""
    return end_others(user, "", by=by)


def _user_of(visit: Visit) -> User:
    if visit.user is None:
        raise NotFound("Nobody is signed in there.")
    return visit.user


def _record(action: str, user: User, by: Asker, **details: object) -> None:
    audit.record(
        action,
        actor=by.user,
        target=f"user:{user.pk}",
        outcome="succeeded",
        address=by.address,
        details={"username": user.username, **details},
    )
