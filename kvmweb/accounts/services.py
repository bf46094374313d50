"""What can be asked about people: add, change, remove, a password.

Each changes rows and adds to the audit record in one transaction, then tells those who
keep connections open (live pages) that somebody's rights changed.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from kvmweb.accounts import audit
from kvmweb.accounts.models import Role, User
from kvmweb.accounts.sessions.models import Visit
from kvmweb.errors import Conflict, Forbidden, Invalid, NotFound

_listeners: list[Callable[[int], None]] = []


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks for a change, and from where."""

    user: User
    address: str = ""


@dataclass(frozen=True, slots=True)
class Changes:
    """What to change of a person; None leaves it as it is."""

    name: str | None = None
    email: str | None = None
    role: str | None = None
    is_active: bool | None = None
    password: str | None = None


def when_rights_change(listener: Callable[[int], None]) -> Callable[[int], None]:
    """Plug: call this with the id of each user whose rights may have changed."""
    if listener not in _listeners:
        _listeners.append(listener)
    return listener


def rights_changed(user_id: int) -> None:
    """Once this transaction is committed, tell who listens."""
    transaction.on_commit(lambda: _tell(user_id))


def add(username: str, first: Changes, *, by: Asker) -> User:
    """A new person. Raises Invalid for a bad field, Conflict for a name that is taken."""
    user = User(username=username)
    with transaction.atomic():
        _apply(user, replace(first, password=None))
        _set_password(user, first.password)
        _save(user)
        _record("user.add", user, by, role=user.role)
    return user


def edit(user: User, changes: Changes, *, by: Asker) -> User:
    """Change a person; a new role holds at once, a disabled one is out at once.

    Raises Forbidden for one's own role or standing, Conflict for the last admin's,
    Invalid for a bad field.
    """
    with transaction.atomic():
        admins = _locked_admins()
        user = _locked(user)
        before = (user.role, user.is_active)
        _apply(user, changes)
        if changes.password is not None:
            _set_password(user, changes.password)
            Visit.objects.filter(user=user).delete()
        _need_unlocked_house(user, before, admins, by)
        if before[1] and not user.is_active:
            _shut_out(user)
        _save(user)
        _record("user.edit", user, by, **_told(changes))
        rights_changed(user.pk)
    return user


def delete(user: User, *, by: Asker) -> None:
    """Remove a person with their tokens; what they did stays in the audit record.

    Raises Forbidden for oneself and Conflict for the last admin.
    """
    if user.pk == by.user.pk:
        raise Forbidden("Nobody can delete their own account.")
    with transaction.atomic():
        _need_other_admin(user, _locked_admins())
        user_id = user.pk
        _record("user.delete", user, by)
        user.delete()
        rights_changed(user_id)


def set_own_password(user: User, new: str, *, by: Asker) -> None:
    """One's own new password; every other session of theirs ends. Raises Invalid.

    That they know the old one is asked in kvmweb.accounts.signin.
    """
    with transaction.atomic():
        _set_password(user, new)
        user.save(update_fields=["password"])
        Visit.objects.filter(user=user).delete()
        _record("user.password", user, by)
        rights_changed(user.pk)


def _apply(user: User, changes: Changes) -> None:
    for name in ("name", "email", "role", "is_active"):
        value = getattr(changes, name)
        if value is not None:
            setattr(user, name, value)


def _set_password(user: User, password: str | None) -> None:
    """Set it; None means they cannot sign in yet. Raises Invalid when it is weak."""
    if password is None:
        user.set_unusable_password()
        return
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise Invalid(
            "This password is too easy to guess.", errors={"password": error.messages}
        ) from error
    user.set_password(password)


def _save(user: User) -> None:
    try:
        user.full_clean()
    except ValidationError as error:
        raise Invalid("This user is not valid.", errors=error.message_dict) from error
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError as error:
        raise Conflict(f"There is a user {user.username} already.") from error


def _locked(user: User) -> User:
    """The person as they are now; nobody else changes them until we commit."""
    found = User.objects.select_for_update().filter(pk=user.pk).first()
    if found is None:
        raise NotFound("There is no such user.")
    return found


def _locked_admins() -> set[int]:
    """Ids of the active admins; nobody else changes them until we commit."""
    admins = User.objects.select_for_update().filter(role=Role.ADMIN, is_active=True)
    return set(admins.values_list("pk", flat=True))


def _need_unlocked_house(
    user: User, before: tuple[str, bool], admins: set[int], by: Asker
) -> None:
    """Nothing. Raises when the change would lock out its author, or everybody."""
    if before == (user.role, user.is_active):
        return
    if user.pk == by.user.pk:
        raise Forbidden("Nobody can change their own role, or disable themselves.")
    if user.role != Role.ADMIN or not user.is_active:
        _need_other_admin(user, admins)


def _need_other_admin(user: User, admins: set[int]) -> None:
    if admins == {user.pk}:
        raise Conflict(f"{user.username} is the last administrator.")


def _shut_out(user: User) -> None:
    """End every session and token of theirs, for good: enabling brings none back."""
    user.sessions_ended += 1
    Visit.objects.filter(user=user).delete()
    user.tokens.filter(revoked_at=None).update(revoked_at=timezone.now())


def _told(changes: Changes) -> dict[str, object]:
    """The changes as the audit record tells them, without the password."""
    told: dict[str, object] = {
        name: getattr(changes, name)
        for name in ("name", "email", "role", "is_active")
        if getattr(changes, name) is not None
    }
    if changes.password is not None:
        told["password"] = "changed"  # noqa: S105  # a word, not a password
    return told


def _record(action: str, user: User, by: Asker, **details: object) -> None:
    audit.record(
        action,
        actor=by.user,
        target=f"user:{user.pk}",
        outcome="succeeded",
        address=by.address,
        details={"username": user.username, **details},
    )


def _tell(user_id: int) -> None:
    for listener in _listeners:
        listener(user_id)
