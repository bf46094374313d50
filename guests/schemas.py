"""What the API of guests takes and answers."""

from dataclasses import fields
from typing import Any, Literal
from uuid import UUID

from ninja import Schema
from pydantic import Field, field_validator, model_validator

from guests.edits import Edit
from guests.hardware.wishes import Hardware
from guests.queries import SORTS, Filters
from kvmweb import doors
from kvmweb.errors import Invalid
from kvmweb.virt.types import DomainState

_WORDS = {  # what the API calls it: what lists sort by
    **{word: word for word in SORTS},
    "memory_bytes": "memory",
    "host_name": "host",
    "state_since": "since",
    "started_at": "uptime",
    "seen_at": "seen",
    "cpu_percent": "cpu",
}
_ELSEWHERE = {  # what a guest has and this does not change, and what does
    "machine": "its XML",
    "disks": "guests/{uuid}/disks/",
    "nics": "guests/{uuid}/nics/",
    "cdrom": "guests/{uuid}/cdrom/",
    "host": "guests/{uuid}/migrate/",
}


class DiskOut(Schema):
    """A disk, and the volume it is where a pool knows it."""

    target: str
    device: str
    bus: str
    pool: str | None
    volume: str | None
    path: str
    capacity_bytes: int | None
    format: str
    readonly: bool
    shareable: bool


class NicOut(Schema):
    """A network card."""

    mac: str
    network: str
    kind: str
    model: str
    target: str
    link_up: bool
    ip_addresses: list[str]


class ActiveOperation(Schema):
    """What is under way on a guest."""

    id: UUID
    kind: str
    state: str
    progress: float
    phase: str
    requested_by: str | None


class TwinOut(Schema):
    """Another host that has the same UUID."""

    host: int
    host_name: str
    state: str
    moving: bool
    seen_at: str


class GuestOut(Schema):
    """A guest as its host last said it."""

    uuid: UUID
    name: str
    host: int | None
    host_name: str
    project: int | None
    project_name: str
    owner: str | None
    url: str
    page: str
    state: DomainState
    state_reason: str
    state_since: str
    known_state: str
    seen_at: str
    first_seen_at: str
    started_at: str | None
    autostart: bool
    persistent: bool
    managed_save: bool
    differs: bool
    vcpus: int
    vcpus_max: int
    memory_bytes: int
    memory_max_bytes: int
    virt_type: str
    os: str
    firmware: str
    machine: str
    arch: str
    ip_addresses: list[str]
    disks: list[DiskOut]
    nics: list[NicOut]
    screens: list[str]
    serial: bool
    agent: bool | None
    snapshots: int
    active_operation: ActiveOperation | None
    tags: list[str]
    title: str
    description: str
    protected: bool
    template: bool
    conflict: bool
    twins: list[TwinOut]
    problem: str


class GuestQuery(doors.PageQuery):
    """Which guests are asked for; `gone=true` asks for those that are gone, too."""

    state: DomainState | None = None
    host: str = Field("", max_length=200)
    tag: str = Field("", max_length=200)
    folder: str = Field("", max_length=200)
    owner: str = Field("", max_length=200)
    project: str = Field("", max_length=200)
    agent: bool | None = None
    conflict: bool = False
    template: bool | None = None
    gone: bool = False

    @field_validator("ordering")
    @classmethod
    def _known(cls, ordering: str) -> str:
        if ordering and ordering.removeprefix("-") not in _WORDS:
            raise ValueError(f"Order by one of {', '.join(sorted(_WORDS))}.")
        return ordering

    def filters(self) -> Filters:
        """The same as lists on pages have it."""
        sign = "-" if self.ordering.startswith("-") else ""
        sort = _WORDS.get(self.ordering.removeprefix("-"), "name")
        return Filters(
            search=self.search,
            state=self.state or "",
            host=self.host,
            tag=self.tag,
            folder=self.folder,
            owner=self.owner,
            project=self.project,
            agent={None: "", True: "yes", False: "no"}[self.agent],
            conflict="yes" if self.conflict else "",
            template={None: "", True: "yes", False: "no"}[self.template],
            gone="yes" if self.gone else "",
            sort=sign + sort,
        )


class Topology(doors.Sent):
    """In what shape a guest sees its vCPUs."""

    sockets: int
    cores: int
    threads: int


class EditIn(doors.Sent):
    """What can be changed of a guest; what is not said stays as it is.

    Hardware changes now where the host can, else at the next start; `when` asks for that.
    """

    title: str = ""
    description: str = ""
    autostart: bool = False
    tags: list[str] = []
    protected: bool = False
    owner: str | None = None  # a user's name; null for nobody
    project: int | str | None = None  # its id or name; null for none
    name: str = ""
    vcpus: int = 0
    vcpus_max: int = 0
    memory_bytes: int = 0
    memory_max_bytes: int = 0
    cpu: str = ""  # host-model, host-passthrough, maximum or a model; "": QEMU's own
    topology: Topology | None = None
    firmware: str = ""
    boot: list[str] = Field([], max_length=64)  # disks' targets, cards' MAC addresses
    boot_menu: bool = False
    os: str = ""
    when: Literal["now", "next-start"] = "now"

    @model_validator(mode="before")
    @classmethod
    def _known(cls, value: Any) -> Any:
        """Refuse fields that are not there, or are but cannot be changed."""
        body = getattr(value, "_obj", value)
        extra = set(body) - set(cls.model_fields) if isinstance(body, dict) else ()
        if extra:
            errors = {name: [_why_not(name)] for name in sorted(extra)}
            sentences = " ".join(each[0] for each in errors.values())
            raise Invalid(sentences, errors=errors)
        return value

    def edit(self) -> Edit:
        """The change."""
        told: dict[str, Any] = {
            each.name: getattr(self, each.name)
            for each in fields(Edit)
            if each.name in self.model_fields_set
        }
        if "owner" in told:
            told["owner"] = told["owner"] or ""
        if "project" in told:
            told["project"] = "" if self.project is None else str(self.project)
        if "tags" in told:
            told["tags"] = tuple(told["tags"])
        return Edit(**told)

    def hardware(self) -> Hardware:
        """The change of hardware; false when none is asked for."""
        told = {name: getattr(self, name) for name in self.model_fields_set}
        if shape := self.topology:
            told["topology"] = (shape.sockets, shape.cores, shape.threads)
        return Hardware.of(told)


class VolumesQuery(Schema):
    """What happens to a deleted guest's volumes."""

    volumes: Literal["delete", "keep"] = "keep"


class RevisionOut(Schema):
    """One version of a guest's XML."""

    number: int
    at: str
    author: str
    operation: UUID | None
    changes: list[str] | None  # since the version before, in words
    xml: str


class SeriesOut(Schema):
    """Numbers over time: one value a step in each series, null where there is a gap."""

    step_seconds: int
    times: list[str]
    series: dict[str, list[float | None]]


def _why_not(name: str) -> str:
    if name in _ELSEWHERE:
        return f"{name} is not changed here, but by {_ELSEWHERE[name]}."
    return f"A guest has no field {name[:64]!r} that could be changed."
