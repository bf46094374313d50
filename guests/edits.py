"""Changing what people say of a guest: checked words, and the columns that are ours."""

import re
from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from guests.models import Guest
from kvmweb.accounts.models import Member, Project, User
from kvmweb.errors import Invalid
from kvmweb.live import news

TAGS_MAX = 32
TITLE_MAX = 255
DESCRIPTION_MAX = 16 * 1024
TAG_MAX, FOLDERS_MAX = 100, 8  # letters of a tag; words with slashes between them
_WORD = "[a-z0-9](?:[a-z0-9._:-]{0,30}[a-z0-9])?"
TAG = re.compile(rf"(?=.{{1,{TAG_MAX}}}\Z){_WORD}(?:/{_WORD}){{0,{FOLDERS_MAX - 1}}}")
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Edit:
    """What is to change; None is not said and stays as it is."""

    title: str | None = None
    description: str | None = None
    autostart: bool | None = None
    tags: tuple[str, ...] | None = None
    protected: bool | None = None
    owner: str | None = None  # a username; "" for nobody
    project: str | None = None  # a name or an id; "" for none

    def for_host(self) -> dict[str, Any]:
        """What the host must be told, as an operation's params."""
        told = {
            "title": self.title,
            "description": self.description,
            "autostart": self.autostart,
        }
        return {name: value for name, value in told.items() if value is not None}


def checked(guest: Guest, edit: Edit) -> Edit:
    """The same change without what is so already. Raises Invalid naming each fault."""
    errors: dict[str, list[str]] = {}
    tags = _tags(edit.tags, errors)
    _check_words(edit, errors)
    if edit.owner:
        _user(edit.owner, errors)
    project = _project(edit.project, errors)
    if edit.autostart and not guest.persistent:
        errors["autostart"] = [f"{guest.name} is transient: no host starts it."]
    if guest.template and (edit.autostart or edit.protected is False):
        name = "autostart" if edit.autostart else "protected"
        errors[name] = [f"{guest.name} is a template: make it a guest again first."]
    if errors:
        sentences = " ".join(text for texts in errors.values() for text in texts)
        raise Invalid(sentences, errors=errors)
    owner = guest.owner.username if guest.owner else ""
    return Edit(
        title=_new(edit.title, guest.title),
        description=_new(edit.description, guest.description),
        autostart=_new(edit.autostart, guest.autostart),
        tags=_new(tags, tuple(guest.tags)),
        protected=_new(edit.protected, guest.protected),
        owner=_new(edit.owner, owner),
        project=_new(project, guest.project.name if guest.project else ""),
    )


def apply(guest: Guest, edit: Edit) -> list[str]:
    """Write the columns that are ours; the names of those that changed."""
    changed: list[str] = []
    if edit.tags is not None:
        guest.tags = list(edit.tags)
        guest.tag_words = f" {' '.join(edit.tags)} " if edit.tags else ""
        changed.append("tags")
    if edit.protected is not None:
        guest.protected = edit.protected
        changed.append("protected")
    if edit.owner is not None:
        before = guest.owner_id
        guest.owner = User.objects.get(username=edit.owner) if edit.owner else None
        changed.append("owner")
        for user_id in filter(None, {before, guest.owner_id}):
            news.rights_changed(user_id)
    if edit.project is not None:
        before = guest.project_id
        guest.project = Project.objects.filter(name=edit.project).first()
        changed.append("project")
        for user_id in _members({before, guest.project_id}):
            news.rights_changed(user_id)
    words = ["tag_words"] if "tags" in changed else []
    if changed:
        guest.save(update_fields=[*changed, *words])
    return changed


def _new(said: Any, now: Any) -> Any:
    return None if said == now else said


def _tags(
    said: tuple[str, ...] | None, errors: dict[str, list[str]]
) -> tuple[str, ...] | None:
    if said is None:
        return None
    tags = tuple(dict.fromkeys(tag.strip().lower() for tag in said if tag.strip()))
    wrong = [tag for tag in tags if not TAG.fullmatch(tag)]
    if wrong:
        errors["tags"] = [
            f"{tag[:40]!r} is no tag: use small letters, digits, dots, dashes, colons "
            "and underscores, at most 32; slashes between words make folders."
            for tag in wrong[:5]
        ]
    if len(tags) > TAGS_MAX:
        errors.setdefault("tags", []).append(f"Use at most {TAGS_MAX} tags.")
    return tags


def _check_words(edit: Edit, errors: dict[str, list[str]]) -> None:
    for name, longest in (("title", TITLE_MAX), ("description", DESCRIPTION_MAX)):
        said: str = getattr(edit, name) or ""
        if len(said) > longest:
            errors[name] = [f"Use at most {longest} characters."]
        elif _NOT_XML.search(said):
            errors[name] = ["It has a character that no document can hold."]
    if "\n" in (edit.title or "") or "\r" in (edit.title or ""):
        errors["title"] = ["A title is one line."]


def _project(said: str | None, errors: dict[str, list[str]]) -> str | None:
    """Its name; "" for none."""
    if not said:
        return said
    found = project_of(said)
    if found is None:
        errors["project"] = [f"There is no project {said[:64]!r}."]
    return found.name if found else None


def project_of(said: str) -> Project | None:
    """The project of this name, or of this id."""
    wanted = Q(name=said)
    if said.isdecimal() and len(said) < 10:
        wanted |= Q(pk=int(said))
    return Project.objects.filter(wanted).first() if said else None


def _members(projects: set[int | None]) -> list[int]:
    rows = Member.objects.filter(project__in=[it for it in projects if it])
    return list(rows.values_list("user", flat=True).distinct())


def _user(name: str, errors: dict[str, list[str]]) -> None:
    if not User.objects.filter(username=name, is_active=True).exists():
        errors["owner"] = [f"There is no active user {name[:64]!r}."]
