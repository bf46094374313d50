"""People whom others vouch for: found or made, and given what their groups say.

Somebody is known by the provider's own, stable word for them, never by a name or a mail
address alone. What was given by hand stays; what groups gave is given anew each time.
"""

import hashlib
import re
from dataclasses import dataclass, field

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from kvmweb.accounts import audit, projects, services
from kvmweb.accounts.models import Member, Project, Role, User
from kvmweb.accounts.outside import groups
from kvmweb.accounts.outside.models import ExternalIdentity
from kvmweb.accounts.services import Asker
from kvmweb.errors import Conflict, Forbidden

_NAME = re.compile(r"[a-z0-9]([a-z0-9._@-]{0,62}[a-z0-9])?\Z")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, as a provider or directory tells of them."""

    provider: str
    subject: str
    username: str
    name: str = ""
    email: str = ""
    groups: list[str] = field(default_factory=list)


def arrived(person: Person, *, address: str) -> User:
    """The user this person is here, made if they are new, with what their groups give.

    Raises Forbidden for a disabled one, Conflict when another has their user name.
    """
    with transaction.atomic():
        identity = _identity(person)
        if identity is None:
            identity = _newcomer(person, address)
        user = User.objects.select_for_update().get(pk=identity.user_id)
        if not user.is_active:
            raise Forbidden("This account is disabled.")
        _settle(identity, user, person, address)
    return user


def linked(user: User, person: Person, *, by: Asker) -> ExternalIdentity:
    """Have them sign in to this account that way, too. Raises Conflict if taken."""
    with transaction.atomic():
        identity = _identity(person)
        if identity is not None and identity.user_id != user.pk:
            raise Conflict(f"{person.username} there is another account here already.")
        if identity is None:
            identity = _keep(user, person)
            _record("user.link", user, by, person)
        _settle(identity, user, person, by.address)
    return identity


def unlink(identity: ExternalIdentity, *, by: Asker) -> None:
    """They sign in that way no more. Raises Conflict when there is no other way."""
    user = identity.user
    others = ExternalIdentity.objects.filter(user=user).exclude(pk=identity.pk)
    if not user.has_usable_password() and not others.exists():
        raise Conflict(
            "This is the only way you sign in.", hint="Have a password set first."
        )
    with transaction.atomic():
        audit.record(
            "user.unlink",
            actor=by.user,
            target=f"user:{user.pk}",
            outcome="succeeded",
            address=by.address,
            details={"provider": identity.provider, "as": identity.label},
        )
        identity.delete()


def _identity(person: Person) -> ExternalIdentity | None:
    rows = ExternalIdentity.objects.select_for_update()
    return rows.filter(provider=person.provider, subject=person.subject).first()


def _newcomer(person: Person, address: str) -> ExternalIdentity:
    """A new user of this name. Raises Conflict when somebody else has it."""
    username = _username(person)
    if User.objects.filter(username=username).exists():
        raise Conflict(
            f"The name {username} belongs to another account here.",
            hint="Sign in to that one with its password and link them, or ask an "
            "administrator.",
        )
    user = User.objects.make(username)
    identity = _keep(user, person)
    _record("user.add", user, Asker(user, address), person)
    return identity


def _keep(user: User, person: Person) -> ExternalIdentity:
    return ExternalIdentity.objects.create(
        user=user,
        provider=person.provider,
        subject=person.subject,
        own_role=user.role,
        set_role=user.role,
    )


def _username(person: Person) -> str:
    """Their name there as one of ours; one made of their subject when it cannot be."""
    plain = re.sub(r"[^a-z0-9._@-]+", "-", person.username.strip().lower())[:64]
    plain = plain.strip("._@-")
    if _NAME.match(plain):
        return plain
    return f"user-{hashlib.sha256(person.subject.encode()).hexdigest()[:12]}"


def _settle(
    identity: ExternalIdentity, user: User, person: Person, address: str
) -> None:
    """Name, mail address, role and memberships as they are told now."""
    said = groups.given(person.groups, groups.meanings(settings.GROUPS))
    own = identity.own_role if user.role == identity.set_role else user.role
    wanted = groups.higher(own, said.role)
    if wanted != user.role and _is_last_admin(user):
        wanted = user.role
    _write_down(user, person, wanted, address)
    identity.own_role, identity.set_role = own, wanted
    identity.label = person.username[:150]
    identity.last_used_at = timezone.now()
    identity.save()
    _join(user, said.memberships, Asker(user, address))


def _write_down(user: User, person: Person, role: str, address: str) -> None:
    """Write down what is new of this person."""
    told = {"name": person.name[:150], "email": _mail(person), "role": role}
    new = {
        key: value
        for key, value in told.items()
        if value and value != getattr(user, key)
    }
    if not new:
        return
    for key, value in new.items():
        setattr(user, key, value)
    user.save(update_fields=list(new))
    audit.record(
        "user.edit",
        actor=user,
        target=f"user:{user.pk}",
        outcome="succeeded",
        address=address,
        details={"username": user.username, "by": person.provider, **new},
    )
    if "role" in new:
        services.rights_changed(user.pk)


def _mail(person: Person) -> str:
    """Their mail address, if it can be one."""
    return person.email if "@" in person.email and len(person.email) <= 254 else ""


def _is_last_admin(user: User) -> bool:
    admins = User.objects.filter(role=Role.ADMIN, is_active=True)
    return user.role == Role.ADMIN and not admins.exclude(pk=user.pk).exists()


def _join(user: User, wanted: dict[str, str], by: Asker) -> None:
    """Be in the projects that the groups say, and in no other that groups said before."""
    there = {
        member.project.name: member
        for member in Member.objects.filter(user=user).select_related("project")
    }
    for project in Project.objects.filter(name__in=wanted):
        role, member = wanted[project.name], there.get(project.name)
        if member is None or (not member.by_hand and member.role != role):
            projects.set_member(project, user, role, by=by, by_hand=False)
    for name, member in there.items():
        if not member.by_hand and name not in wanted:
            projects.remove_member(member.project, user, by=by)


def _record(action: str, user: User, by: Asker, person: Person) -> None:
    audit.record(
        action,
        actor=by.user,
        target=f"user:{user.pk}",
        outcome="succeeded",
        address=by.address,
        details={
            "username": user.username,
            "provider": person.provider,
            "subject": person.subject,
        },
    )
