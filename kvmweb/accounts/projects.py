"""What can be asked about projects and who is in them."""

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from kvmweb.accounts import audit
from kvmweb.accounts.models import Member, Project, User
from kvmweb.accounts.services import Asker, rights_changed
from kvmweb.errors import Conflict, Invalid, NotFound


def add(name: str, note: str, *, by: Asker) -> Project:
    """A new project without members. Raises Invalid for its name, Conflict if taken."""
    project = Project(name=name.strip(), note=note)
    with transaction.atomic():
        _save(project)
        _record("project.add", project, by)
    return project


def edit(
    project: Project, *, name: str | None = None, note: str | None = None, by: Asker
) -> Project:
    """Call it otherwise, or say otherwise what it is for. Raises as `add`."""
    told = {"name": name, "note": note}
    new = {key: value for key, value in told.items() if value is not None}
    for key, value in new.items():
        setattr(project, key, value)
    with transaction.atomic():
        _save(project)
        _record("project.edit", project, by, **new)
    return project


def delete(project: Project, *, by: Asker) -> None:
    """End it; whoever calls has made sure that nothing is in it any more."""
    with transaction.atomic():
        people = list(project.members.values_list("user", flat=True))
        _record("project.delete", project, by)
        project.delete()
        for user_id in people:
            rights_changed(user_id)


def set_member(
    project: Project, user: User, role: str, *, by: Asker, by_hand: bool = True
) -> Member:
    """Make them this in the project, whatever they were. Raises Invalid for the role."""
    if role not in Member.Role.values:
        sentence = f"A member is one of: {', '.join(Member.Role.values)}."
        raise Invalid(sentence, errors={"role": [sentence]})
    with transaction.atomic():
        told = {"role": role, "by_hand": by_hand}
        member, _ = Member.objects.update_or_create(
            project=project, user=user, defaults=told
        )
        _record("project.member", project, by, user=user.username, role=role)
        rights_changed(user.pk)
    return member


def remove_member(project: Project, user: User, *, by: Asker) -> None:
    """They are not in it any more. Raises NotFound when they were not."""
    with transaction.atomic():
        gone, _ = Member.objects.filter(project=project, user=user).delete()
        if not gone:
            raise NotFound(f"{user.username} is not in {project.name}.")
        _record("project.member", project, by, user=user.username, role=None)
        rights_changed(user.pk)


def _save(project: Project) -> None:
    try:
        project.full_clean(validate_unique=False)
    except ValidationError as error:
        raise Invalid(
            "This project is not valid.", errors=error.message_dict
        ) from error
    try:
        with transaction.atomic():
            project.save()
    except IntegrityError as error:
        message = f"There is a project {project.name} already."
        raise Conflict(message, field="name") from error


def _record(action: str, project: Project, by: Asker, **details: object) -> None:
    audit.record(
        action,
        actor=by.user,
        target=f"project:{project.pk}",
        outcome="succeeded",
        address=by.address,
        details={"name": project.name, **details},
    )
