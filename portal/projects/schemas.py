"""What the API of projects takes and answers."""

from typing import Annotated, Any, Literal

from django.urls import reverse
from ninja import Schema
from pydantic import Field, model_validator

from kvmweb.accounts.gate import sees_all
from kvmweb.accounts.models import Member, User
from kvmweb.doors import Strict
from kvmweb.live.news import moment
from portal.projects.queries import Known
from portal.projects.services import Seat, Wish

Roles = Literal["viewer", "operator", "owner"]
Ref = Annotated[int | str, Field(union_mode="smart")]  # an id, or a name
_Limit = Annotated[int | None, Field(ge=0, le=2**53)]
_NAME = Field(min_length=1, max_length=63)
_MOST = 1000


class QuotaIn(Strict):
    """The most there may be; null, or not said when it is made: no limit."""

    guests: _Limit = None
    vcpus: _Limit = None
    memory_bytes: _Limit = None
    disk_bytes: _Limit = None
    guest_vcpus: _Limit = None
    guest_memory_bytes: _Limit = None
    guest_disk_bytes: _Limit = None
    snapshots: _Limit = None

    def told(self) -> dict[str, int | None]:
        """What was said."""
        return self.model_dump(include=self.model_fields_set)


class ScopeIn(Strict):
    """What may be used in it; of an empty list, all. Images and flavors by id or name."""

    networks: list[str] = Field(default_factory=list, max_length=_MOST)
    images: list[Ref] = Field(default_factory=list, max_length=_MOST)
    flavors: list[Ref] = Field(default_factory=list, max_length=_MOST)
    host_tags: list[str] = Field(default_factory=list, max_length=_MOST)

    def told(self) -> dict[str, list[Any]]:
        """What was said."""
        return self.model_dump(include=self.model_fields_set)


class MemberIn(Strict):
    """Somebody, by name or id, and what they are in the project."""

    user: Ref
    role: Roles = "operator"

    def seat(self) -> Seat:
        """The same for the service."""
        return self.user, self.role


class RolePatch(Strict):
    """What they are from now on."""

    role: Roles


class ProjectIn(Strict):
    """A new project."""

    name: str = _NAME
    note: str = Field("", max_length=2000)
    quota: QuotaIn | None = None
    scope: ScopeIn | None = None
    members: list[MemberIn] = Field(default_factory=list, max_length=_MOST)

    def wish(self) -> Wish:
        """What it says."""
        return Wish(
            name=self.name,
            note=self.note,
            quota=self.quota.told() if self.quota else {},
            scope=self.scope.told() if self.scope else {},
            members=[each.seat() for each in self.members] or None,
        )


class ProjectPatch(Strict):
    """What can be changed; what is not said stays, also inside of quota and scope.

    `members` are the whole of them; one alone is changed by members/.
    """

    name: str = Field("", min_length=1, max_length=63)
    note: str = Field("", max_length=2000)
    quota: QuotaIn = Field(default_factory=QuotaIn)
    scope: ScopeIn = Field(default_factory=ScopeIn)
    members: list[MemberIn] = Field(default_factory=list, max_length=_MOST)

    @model_validator(mode="after")
    def _something(self) -> "ProjectPatch":
        for name in ("quota", "scope"):
            if name in self.model_fields_set and getattr(self, name) is None:
                raise ValueError(f"Say what of the {name} is to change.")
        return self

    def wish(self) -> Wish:
        """What it says."""
        said = self.model_fields_set
        seats = [each.seat() for each in self.members]
        return Wish(
            name=self.name if "name" in said else None,
            note=self.note if "note" in said else None,
            quota=self.quota.told(),
            scope=self.scope.told(),
            members=seats if "members" in said else None,
        )


class QuotaOut(Schema):
    """The most there may be; null: no limit."""

    guests: int | None
    vcpus: int | None
    memory_bytes: int | None
    disk_bytes: int | None
    guest_vcpus: int | None
    guest_memory_bytes: int | None
    guest_disk_bytes: int | None
    snapshots: int | None


class AmountsOut(Schema):
    """So much of each."""

    guests: int
    vcpus: int
    memory_bytes: int
    disk_bytes: int


class LeftOut(Schema):
    """What may still be taken; null: any amount."""

    guests: int | None
    vcpus: int | None
    memory_bytes: int | None
    disk_bytes: int | None


class UsageOut(AmountsOut):
    """What counts against the quota: what is there (used) and promised (reserved)."""

    used: AmountsOut
    reserved: AmountsOut
    left: LeftOut


class ScopeOut(Schema):
    """What may be used in it; of an empty list, all."""

    networks: list[str]
    images: list[int]
    flavors: list[int]
    host_tags: list[str]


class MemberOut(Schema):
    """Somebody in a project."""

    user: str
    id: int
    name: str
    role: Roles
    since: str


class ProjectOut(Schema):
    """A project; `role` is what the one who asks is in it."""

    id: int
    name: str
    note: str
    created_at: str
    role: Roles | None
    quota: QuotaOut
    usage: UsageOut
    scope: ScopeOut
    members: list[MemberOut]
    url: str
    page: str


def member_json(member: Member) -> dict[str, Any]:
    """One member; its user is to be loaded already."""
    return {
        "user": member.user.username,
        "id": member.user_id,
        "name": member.user.name,
        "role": member.role,
        "since": moment(member.since),
    }


def project_json(known: Known, user: User) -> dict[str, Any]:
    """One project as this person may know it."""
    project, usage = known.project, known.usage
    scope: dict[str, Any] = dict(known.scope.told())
    if not sees_all(user):
        scope["host_tags"] = []  # nothing of hosts
    return {
        "id": project.pk,
        "name": project.name,
        "note": project.note,
        "created_at": moment(project.created_at),
        "role": known.role,
        "quota": {
            **usage.limits.told(),
            "guest_vcpus": usage.guest_limits.vcpus,
            "guest_memory_bytes": usage.guest_limits.memory_bytes,
            "guest_disk_bytes": usage.guest_limits.disk_bytes,
            "snapshots": usage.snapshots,
        },
        "usage": {
            **usage.taken.told(),
            "used": usage.used.told(),
            "reserved": usage.reserved.told(),
            "left": usage.left(),
        },
        "scope": scope,
        "members": [member_json(each) for each in known.members],
        "url": f"/api/v1/projects/{project.pk}/",
        "page": reverse("project", args=[project.pk]),
    }
