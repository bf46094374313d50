"""The gate: which rights there are, which role has them, and how a door declares its own.

Rights on one guest or host are asked in the apps' `access.py`, which ask here first.
"""

from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from django.contrib.auth.models import AnonymousUser

from kvmweb.accounts.models import Role, User
from kvmweb.errors import Forbidden, NotKnown

P = ParamSpec("P")
R = TypeVar("R")


class Right(StrEnum):
    """What a door can ask for. A door that asks for nothing does not open."""

    PUBLIC = "public"  # anyone, signed in or not
    SIGNED_IN = "signed-in"  # anyone who is known: their own account and guests
    SEE = "see"  # a guest
    OPERATE = "operate"  # start, stop, pause… a guest
    CONSOLE = "console"  # a guest's screen and keyboard
    EDIT = "edit"  # a guest's description, tags, protection
    DELETE = "delete"  # a guest, with or without its volumes
    SEE_XML = "see-xml"  # a guest's raw document
    CREATE = "create"  # guests, clones
    CHANGE = "change"  # a guest's hardware, snapshots, what is inside it
    EDIT_XML = "edit-xml"  # writing it is being root on the host
    MIGRATE = "migrate"  # move a guest to another host, see where it may go
    HOST_DEVICES = "host-devices"  # giving a host's devices and directories to a guest
    SEE_HOSTS = "see-hosts"
    MANAGE_HOSTS = "manage-hosts"
    BALANCE = "balance"  # moving guests so that fewer suffer, and rules about tags
    MANAGE_VOLUMES = "manage-volumes"  # in the pools that are there
    MANAGE_IMAGES = "manage-images"
    MANAGE_POOLS = "manage-pools"  # a pool can be any directory of a host
    MANAGE_NETWORKS = "manage-networks"
    MANAGE_USERS = "manage-users"
    SEE_AUDIT = "see-audit"


_OWNED = frozenset(
    {Right.PUBLIC, Right.SIGNED_IN, Right.SEE, Right.OPERATE, Right.CONSOLE, Right.EDIT}
)
_FLEET = _OWNED | {
    Right.DELETE,
    Right.SEE_XML,
    Right.CREATE,
    Right.CHANGE,
    Right.MIGRATE,
    Right.SEE_HOSTS,
    Right.MANAGE_VOLUMES,
    Right.MANAGE_IMAGES,
}
_RIGHTS: dict[str, frozenset[Right]] = {
    Role.USER: _OWNED,  # on guests they own only; see guests.access
    Role.OPERATOR: _FLEET,
    Role.ADMIN: frozenset(Right),
}


def may(user: User | AnonymousUser, right: Right) -> bool:
    """Whether this person's role has the right at all."""
    if right == Right.PUBLIC:
        return True
    if not isinstance(user, User) or not user.is_active:
        return False
    return right in _RIGHTS[user.role]


def rights(user: User) -> list[str]:
    """Everything this person's role allows, by name."""
    return sorted(right.value for right in Right if may(user, right))


def sees_all(user: User) -> bool:
    """Whether every guest is theirs to see, not only the owned ones."""
    return may(user, Right.SEE_HOSTS)


def need(user: User | AnonymousUser, right: Right) -> None:
    """Nothing, if the role has the right. Raises NotKnown or Forbidden."""
    if may(user, right):
        return
    if not isinstance(user, User) or not user.is_active:
        raise NotKnown("Sign in first, or send a valid token.")
    raise Forbidden(f"Your role ({user.role}) does not allow this.")


def door(
    right: Right,
) -> Callable[[Callable[Concatenate[Any, P], R]], Callable[Concatenate[Any, P], R]]:
    """Declare which right a view or an API method asks for; it is asked before it runs.

    Raises NotKnown or Forbidden there. A door without this declaration is shut
    (kvmweb.middleware.Doors) and a test finds it.
    """

    def declare(
        view: Callable[Concatenate[Any, P], R],
    ) -> Callable[Concatenate[Any, P], R]:
        @wraps(view)
        def guarded(request: Any, /, *args: P.args, **kwargs: P.kwargs) -> R:
            need(request.user, right)
            return view(request, *args, **kwargs)

        guarded.right = right  # type: ignore[attr-defined]  # read by the middleware
        return guarded

    return declare
