"""What can be asked about projects: make, change, end; who is in them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.db import transaction
from django.db.models import ProtectedError

from guests import labelling
from guests.models import Guest
from kvmweb.accounts import audit, projects
from kvmweb.accounts.gate import Right, may
from kvmweb.accounts.models import Member, Project, User
from kvmweb.accounts.services import Asker
from kvmweb.errors import Conflict, Forbidden, Invalid
from kvmweb.live import news
from kvmweb.virt.types import DomainState
from portal.ledger import services as ledger
from portal.ledger.models import Charge
from portal.projects import scopes, wishes
from portal.projects.scope import Scope

LIMITS = (
    *("guests", "vcpus", "memory_bytes", "disk_bytes"),
    *("guest_vcpus", "guest_memory_bytes", "guest_disk_bytes", "snapshots"),
)
_NAMED = 10  # things in the way that a refusal names

Seat = tuple[str | int, str]  # somebody by name or id, and what they are in a project


@dataclass(frozen=True, slots=True)
class Wish:
    """What a project is to be; None, or what is not named, stays as it is."""

    name: str | None = None
    note: str | None = None
    quota: Mapping[str, int | None] = field(default_factory=dict)
    scope: Mapping[str, Iterable[Any]] = field(default_factory=dict)
    members: Sequence[Seat] | None = None  # the whole of them


def add(wish: Wish, *, by: Asker) -> Project:
    """A new project. Raises Invalid naming each part, Conflict for a name in use."""
    with transaction.atomic():
        project = projects.add(wish.name or "", wish.note or "", by=by)
        _take(project, wish, by)
    return project


def edit(project: Project, wish: Wish, *, by: Asker) -> Project:
    """Change it; what it has already stays, also beyond a smaller quota. As `add`."""
    before = project.name
    with transaction.atomic():
        if wish.name is not None or wish.note is not None:
            projects.edit(project, name=wish.name, note=wish.note, by=by)
        _take(project, wish, by)
        if project.name != before:
            labelling.many(project.guests.select_related("host"), by)
    _tell(project)
    return project


def delete(project: Project, *, by: Asker) -> None:
    """End it, with who is in it and their tokens for it.

    Raises Conflict naming the guests and the requests that are in the way.
    """
    topic = project.topic
    with transaction.atomic():
        ledger.locked(project)
        _need_empty(project)
        try:
            with transaction.atomic():
                projects.delete(project, by=by)
        except ProtectedError as error:
            raise Conflict(
                f"{project.name} is still needed by what was asked for in it."
            ) from error
        news.publish(topic, "removed", {"topic": topic})


def set_member(project: Project, who: str | int, role: str, *, by: Asker) -> Member:
    """Somebody is in it from now on, as this.

    Raises Invalid, and Conflict when then nobody would own it any more.
    """
    with transaction.atomic():
        person = _person(who, project, by)
        if role != Member.Role.OWNER:
            _need_other_owner(project, person, by)
        member = projects.set_member(project, person, role, by=by)
    _tell(project)
    return member


def remove_member(project: Project, member: Member, *, by: Asker) -> None:
    """They are not in it any more; their guests in it stay in it. As `set_member`."""
    with transaction.atomic():
        _need_other_owner(project, member.user, by)
        projects.remove_member(project, member.user, by=by)
    _tell(project)


def set_members(project: Project, seats: Iterable[Seat], *, by: Asker) -> None:
    """These are in it from now on, and nobody else.

    Raises as `set_member`, and Invalid for somebody who is named twice.
    """
    with transaction.atomic():
        people = _people(seats, project, by)
        kept = [person.pk for person in people]
        for person, role in people.items():
            projects.set_member(project, person, role, by=by)
        for gone in project.members.exclude(user__in=kept).select_related("user"):
            projects.remove_member(project, gone.user, by=by)
        _need_an_owner(project, by)
    _tell(project)


def _take(project: Project, wish: Wish, by: Asker) -> None:
    if wish.quota:
        _set_quota(project, wish.quota, by)
    if wish.scope:
        _set_scope(project, wish.scope, by)
    if wish.members is not None:
        set_members(project, wish.members, by=by)


def _set_quota(project: Project, told: Mapping[str, int | None], by: Asker) -> None:
    _need_manager(by)
    ledger.set_quota(project, dict(told))
    _record("project.quota", project, by, **told)


def _set_scope(project: Project, told: Mapping[str, Iterable[Any]], by: Asker) -> None:
    _need_manager(by)
    parts: dict[str, Any] = {
        name: frozenset(values) for name, values in wishes.meant(told).items()
    }
    scope: Scope = replace(scopes.of(project.pk), **parts)
    scopes.keep(project, scope)
    _record("project.scope", project, by, **scope.told())


def _need_manager(by: Asker) -> None:
    if not may(by.user, Right.MANAGE_PROJECTS):
        raise Forbidden("Only an administrator says what a project may take up.")


def _need_empty(project: Project) -> None:
    labels = dict(
        Charge.objects.filter(project=project).values_list("subject", "label")
    )
    guests = Guest.objects.filter(project=project).exclude(state=DomainState.GONE)
    for pk, name in guests.values_list("pk", "name"):
        labels[f"guest:{pk}"] = name
    if not labels:
        return
    told = sorted(_words(subject, label) for subject, label in labels.items())
    more = f" and {len(told) - _NAMED} more" if len(told) > _NAMED else ""
    raise Conflict(
        f"{project.name} has {', '.join(told[:_NAMED])}{more}.",
        hint="Delete them, give them to another project, or end what was asked for.",
    )


def _words(subject: str, label: str) -> str:
    asked = subject.startswith("request:")
    return f"the request {subject[8:]} for {label}" if asked else f"the guest {label}"


def _people(seats: Iterable[Seat], project: Project, by: Asker) -> dict[User, str]:
    """Each of them and their role. Raises Invalid for somebody named twice."""
    people: dict[User, str] = {}
    for who, role in seats:
        person = _person(who, project, by)
        if person in people:
            sentence = f"{person.username} is in the list twice."
            raise Invalid(sentence, errors={"members": [sentence]})
        people[person] = role
    return people


def _person(who: str | int, project: Project, by: Asker) -> User:
    """Who is meant: by name, or for administrators by id. Raises Invalid."""
    rows = User.objects.filter(is_active=True)
    found = None
    if isinstance(who, str):
        found = rows.filter(username=who.strip().lower()).first()
    sentence = f"There is no active user {str(who)[:64]!r}."
    if found is None and (number := _number(who)) is not None:
        if not may(by.user, Right.MANAGE_PROJECTS):  # nobody learns names by counting
            rows = rows.filter(memberships__project=project)
            sentence = "Name the person: only administrators add people by number."
        found = rows.filter(pk=number).first()
    if found is None:
        raise Invalid(sentence, errors={"user": [sentence]})
    return found


def _number(who: str | int) -> int | None:
    text = str(who)
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def _need_other_owner(project: Project, person: User, by: Asker) -> None:
    """Nothing, while somebody else owns it. An administrator may leave it to nobody."""
    if may(by.user, Right.MANAGE_PROJECTS):
        return
    owners = project.members.filter(role=Member.Role.OWNER)
    if set(owners.values_list("user", flat=True)) == {person.pk}:
        raise Conflict(
            f"{person.username} is the last owner of {project.name}.",
            hint="Make somebody else an owner first.",
        )


def _need_an_owner(project: Project, by: Asker) -> None:
    owned = project.members.filter(role=Member.Role.OWNER).exists()
    if not owned and not may(by.user, Right.MANAGE_PROJECTS):
        raise Conflict(f"Then nobody would own {project.name}.")


def _tell(project: Project) -> None:
    news.publish(project.topic, "usage", {"project": project.pk})


def _record(action: str, project: Project, by: Asker, **details: object) -> None:
    audit.record(
        action,
        actor=by.user,
        target=project.topic,
        outcome="succeeded",
        address=by.address,
        details={"name": project.name, **details},
    )
