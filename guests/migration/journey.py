"""One move's two ends, and what its operation must remember to be taken up by another."""

from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

from guests.migration.wishes import MoveWish
from hosts.models import Host
from hosts.services import address_of, need_up
from kvmweb.errors import NotFound
from kvmweb.operations.run import Run
from kvmweb.virt.types import Address


@dataclass(frozen=True, slots=True)
class CopiedDisk:
    """A disk whose content goes along, and the volume it becomes."""

    target: str  # "vda"
    source: str  # path
    path: str
    pool_uuid: str
    name: str
    format: str
    capacity_bytes: int
    stands: bool  # the source on other files; the copy never does
    kind: str = "file"


@dataclass(slots=True)
class Notes:
    """What is kept in the operation while it runs."""

    begun: bool = False  # the long call was made: nobody knows without asking
    open: bool = False  # both hosts are still to be asked what came true
    known: bool = False  # all the same one of them has said enough
    live: bool = True
    state: str = ""  # of the guest before
    persistent: bool = True
    autostart: bool = False
    disks: list[CopiedDisk] = field(default_factory=list)  # made, or about to be
    sent_bytes: int = 0  # of the disks of a guest that is off
    snapshots: str = ""  # sealed records, taken off the source
    encrypted: bool | None = None  # its memory on the wire; None: none was sent


class Journey:
    """A guest on its way from one host to another."""

    def __init__(self, run: Run) -> None:
        """Raises NotFound when one of the hosts was removed."""
        self.run = run
        if run.operation.guest is None:
            raise NotFound("This operation is about no guest.")
        self.guest: UUID = run.operation.guest
        self.name = run.operation.guest_name
        self.wish = MoveWish.of_json(run.params["wish"])
        self.source = _host(run.operation.host, run.operation.host_name)
        self.target = _host(run.params["target"], run.params["target_name"])
        # Of the move itself, also where it is settled by a later operation.
        self.operation = UUID(run.params.get("settles") or str(run.operation.pk))
        self.notes = _noted(run.result.get("move") or run.params.get("move", {}))

    def need_both(self) -> None:
        """Nothing. Raises Conflict when one of the hosts does not answer."""
        for host in (self.source, self.target):
            host.refresh_from_db()
            need_up(host)

    @property
    def post_copied(self) -> bool:
        """Whether it ran at its target already: what it wrote since is there alone."""
        known = self.run.params | self.run.result
        return bool(known.get("post_copied"))

    def keep(self) -> None:
        """Write the notes down, for whoever takes this up should we die."""
        self.run.keep(move=asdict(self.notes))

    @property
    def here(self) -> Address:
        """Where the source is reached from us."""
        return address_of(self.source)

    @property
    def there(self) -> Address:
        """Where the target is reached from us."""
        return address_of(self.target)


def _noted(told: dict[str, Any]) -> Notes:
    disks = [CopiedDisk(**each) for each in told.get("disks", [])]
    known = {name: told[name] for name in Notes.__slots__ if name in told}
    return Notes(**{**known, "disks": disks})


def _host(host_id: int | None, name: str) -> Host:
    host = Host.objects.filter(pk=host_id or 0).first()
    if host is None:
        raise NotFound(f"{name} was removed meanwhile.")
    return host
