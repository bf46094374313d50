"""The gate: which rights there are, which role has them, and how a door declares its own.

Rights on one guest, host or project are asked in the apps' `access.py`, which ask here
first. A role holds everywhere; a membership holds for what is in its project.
"""

from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from django.contrib.auth.models import AnonymousUser

from kvmweb.accounts.models import Member, Role, User
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
    CHANGE = "change"  # a guest's hardware, what is inside it
    SNAPSHOT = "snapshot"  # keep a guest as it is, and go back
    EDIT_XML = "edit-xml"  # writing it is being root on the host
    MIGRATE = "migrate"  # move a guest to another host, see where it may go
    HOST_DEVICES = "host-devices"  # giving a host's devices and directories to a guest
    SEE_HOSTS = "see-hosts"
    MANAGE_HOSTS = "manage-hosts"
    BALANCE = "balance"  # moving guests so that fewer suffer, and rules about tags
    SHARE_VIEWS = "share-views"  # of the list of guests, with everybody
    LIMIT_FOLDERS = "limit-folders"  # say how much lies in them at most
    MANAGE_VOLUMES = "manage-volumes"  # in the pools that are there
    MANAGE_IMAGES = "manage-images"
    MANAGE_POOLS = "manage-pools"  # a pool can be any directory of a host
    MANAGE_NETWORKS = "manage-networks"
    MANAGE_USERS = "manage-users"
    MANAGE_PROJECTS = "manage-projects"  # make them, and say what they may take up
    MANAGE_WEBHOOKS = "manage-webhooks"  # those that hear of whatever happens
    REQUEST = "request"  # ask for a guest
    DECIDE = "decide"  # about what others ask for
    SEE_AUDIT = "see-audit"


_KNOWN = frozenset({Right.PUBLIC, Right.SIGNED_IN, Right.REQUEST})
_OWNED = _KNOWN | {Right.SEE, Right.OPERATE, Right.CONSOLE, Right.EDIT}
_FLEET = _OWNED | {
    Right.DELETE,
    Right.SEE_XML,
    Right.CREATE,
    Right.CHANGE,
    Right.SNAPSHOT,
    Right.MIGRATE,
    Right.SEE_HOSTS,
    Right.SHARE_VIEWS,
    Right.MANAGE_VOLUMES,
    Right.MANAGE_IMAGES,
    Right.DECIDE,
}
_RIGHTS: dict[str, frozenset[Right]] = {
    Role.USER: _OWNED,  # on guests they own only; see guests.access
    Role.OPERATOR: _FLEET,
    Role.ADMIN: frozenset(Right),
}
_RUNNING = _OWNED | {Right.SNAPSHOT}
_OWNING = _RUNNING | {Right.DELETE, Right.DECIDE}
_IN_PROJECT: dict[str, frozenset[Right]] = {
    Member.Role.VIEWER: frozenset({Right.SEE}),
    Member.Role.OPERATOR: _RUNNING,
    Member.Role.OWNER: _OWNING,
}


_OF_OWN: dict[str, frozenset[Right]] = {  # beside that, on a guest they own there
    Member.Role.VIEWER: frozenset(),
    Member.Role.OPERATOR: frozenset({Right.DELETE}),
    Member.Role.OWNER: frozenset(),
}


def may(user: User | AnonymousUser, right: Right) -> bool:
    """Whether this person has the right at all: by their role, or in some project.

    The gate of a row decides whether they have it there.
    """
    if right == Right.PUBLIC:
        return True
    if not isinstance(user, User) or not user.is_active:
        return False
    if right in _RIGHTS[_role(user)]:
        return True
    return right in _OWNING and _some_project_gives(user, right)


def may_everywhere(user: User, right: Right) -> bool:
    """Whether their role gives it on whatever there is, their own or not."""
    return user.is_active and sees_all(user) and right in _RIGHTS[_role(user)]


def may_own(right: Right) -> bool:
    """Whether people have it on what is theirs and in no project."""
    return right in _OWNED


def may_in(user: User, project_id: int, right: Right, *, own: bool = False) -> bool:
    """Whether they have the right on what is in this project, or on their own there."""
    if may_everywhere(user, right):
        return True
    role = roles_of(user).get(project_id)
    if role is None:
        return False
    return right in _IN_PROJECT[role] or (own and right in _OF_OWN[role])


def roles_of(user: User) -> dict[int, str]:
    """What they are in each of their projects, by its id. One query, the first time.

    With a token for one project there is no other.
    """
    if user.known_roles is None:
        rows = Member.objects.filter(user=user).values_list("project", "role")
        user.known_roles = dict(rows)
        if user.within is not None:
            role = user.known_roles.get(user.within)
            if user.role != Role.USER:
                role = Member.Role.OWNER
            user.known_roles = {user.within: role} if role else {}
    return user.known_roles


def rights(user: User) -> list[str]:
    """Everything this person's role and projects allow, by name."""
    return sorted(right.value for right in Right if may(user, right))


def sees_all(user: User) -> bool:
    """Whether every guest is theirs to see, not only the owned ones."""
    return Right.SEE_HOSTS in _RIGHTS[_role(user)] and user.is_active


def _role(user: User) -> str:
    """With a token for one project nobody is more than a user."""
    return user.role if user.within is None else Role.USER


def _some_project_gives(user: User, right: Right) -> bool:
    return any(
        right in _IN_PROJECT[role] | _OF_OWN[role] for role in roles_of(user).values()
    )


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
