"""One move's two ends, and what its operation must remember to be taken up by another."""

from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

from guests.migration.wishes import MoveWish
from hosts.models import Host
from hosts.services import address_of, need_up
from kvmweb.errors import Conflict, NotFound
from kvmweb.operations.run import Run
from kvmweb.virt.types import Address, Transport

_REACHED = frozenset({Transport.TCP, Transport.TLS})  # by a URI, from another host


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
    live: bool = True
    state: str = ""  # of the guest before
    persistent: bool = True
    autostart: bool = False
    disks: list[CopiedDisk] = field(default_factory=list)  # made, or about to be
    sent_bytes: int = 0  # of the disks of a guest that is off
    snapshots: str = ""  # sealed records, taken off the source


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
        self.notes = _noted(run.result.get("move", {}))

    def need_both(self) -> None:
        """Nothing. Raises Conflict when one of the hosts does not answer."""
        for host in (self.source, self.target):
            host.refresh_from_db()
            need_up(host)

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

    @property
    def screens_reached(self) -> bool:
        """Whether consoles of the target are opened through the network."""
        return self.target.transport in _REACHED

    def migrate_uri(self) -> str:
        """Where the source sends the guest. Raises Conflict when nobody knows."""
        address = self.target.migration_address or self.target.address
        if not address:
            raise Conflict(
                f"{self.target.name} has no address that other hosts can reach.",
                hint="Give it a migration address on its page.",
            )
        return f"tcp://{_bracketed(address)}"

    def target_uri(self) -> str:
        """Libvirt of the target, as the source may reach it; "" when it cannot.

        Only by tls and tcp as registered: nothing is sent unencrypted to a host that
        was not registered so, and no host is asked to sign in to another by ssh.
        """
        if self.target.transport not in _REACHED or self.target.username:
            return ""
        address = self.target.migration_address or self.target.address
        port = f":{self.target.port}" if self.target.port else ""
        return f"qemu+{self.target.transport}://{_bracketed(address)}{port}/system"

    @property
    def tls(self) -> bool:
        """Whether both hosts were set up with certificates."""
        both = {self.source.transport, self.target.transport}
        return both == {Transport.TLS.value}


def _noted(told: dict[str, Any]) -> Notes:
    disks = [CopiedDisk(**each) for each in told.get("disks", [])]
    return Notes(**{**told, "disks": disks})


def _host(host_id: int | None, name: str) -> Host:
    host = Host.objects.filter(pk=host_id or 0).first()
    if host is None:
        raise NotFound(f"{name} was removed meanwhile.")
    return host


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
