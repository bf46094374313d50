"""What groups of a provider or directory mean here: a role, memberships of projects.

KVMWEB_GROUPS says it: `vm-admins=admin, web-team=project:web:operator`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from kvmweb.accounts.models import Member, Role
from kvmweb.errors import Invalid

_RANKS = (Role.USER, Role.OPERATOR, Role.ADMIN)
_MEMBER_RANKS = (Member.Role.VIEWER, Member.Role.OPERATOR, Member.Role.OWNER)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one group gives: a role, or a role in a project."""

    group: str
    role: str
    project: str = ""


@dataclass(frozen=True, slots=True)
class Given:
    """What all of somebody's groups give together: the most of it."""

    role: str
    memberships: dict[str, str]  # a project's name → the role in it


def meanings(text: str) -> list[Meaning]:
    """What the setting says. Raises Invalid where it cannot be read."""
    return [_meaning(part.strip()) for part in text.split(",") if part.strip()]


def given(groups: Iterable[str], said: Iterable[Meaning]) -> Given:
    """What these groups give; the role of a plain user where none says more."""
    own = {group.casefold() for group in groups}
    role: str = Role.USER
    memberships: dict[str, str] = {}
    for meaning in said:
        if meaning.group.casefold() not in own:
            continue
        if not meaning.project:
            role = higher(role, meaning.role)
            continue
        known = memberships.get(meaning.project, _MEMBER_RANKS[0])
        memberships[meaning.project] = max(
            known, meaning.role, key=lambda it: _MEMBER_RANKS.index(Member.Role(it))
        )
    return Given(role, memberships)


def higher(one: str, other: str) -> str:
    """The role of the two that may do more."""
    return max(one, other, key=lambda it: _RANKS.index(Role(it)))


def _meaning(text: str) -> Meaning:
    group, _, what = text.rpartition("=")
    words = what.strip().split(":")
    if group and len(words) == 1 and words[0] in Role.values:
        return Meaning(group.strip(), words[0])
    kind, project, role = (*words, "", "", "")[:3]
    if group and len(words) == 3 and kind == "project" and role in Member.Role.values:
        return Meaning(group.strip(), role, project)
    raise Invalid(
        f"KVMWEB_GROUPS cannot be read at “{text}”.",
        hint="It reads like vm-admins=admin, web-team=project:web:operator.",
    )
