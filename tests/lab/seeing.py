"""What the watcher would see on a lab host, written into the rows at once."""

from collections.abc import Callable

from deploy.lab_host import LabHost
from guests.models import Guest
from hosts.models import Host
from hosts.recorders import tell
from hosts.services import address_of
from kvmweb.operations import tasks
from kvmweb.operations.models import Operation
from kvmweb.virt import connection, reading


def home_of(kvm: LabHost, name: str = "kvm1") -> Host:
    """Its row, reached by its socket."""
    return Host.objects.create(
        name=name,
        transport="unix",
        socket_path=str(kvm.socket_path),
        state=Host.State.UP,
        arch="x86_64",
        virt_types=["qemu"],
    )


def look(home: Host) -> None:
    """Write down all that the host says now."""
    with connection.connect(address_of(home)) as there:
        seen = there.run(reading.full_look)
    tell("host", home, seen.host)
    tell("look", home, seen.domains)
    tell("pools", home, seen.pools)
    tell("networks", home, seen.networks)
    home.refresh_from_db()


def done(ask: Callable[[], Operation], home: Host) -> Operation:
    """The operation, asked for by what the host says now, and done as a worker would."""
    look(home)
    operation = performed(ask())
    look(home)
    return operation


def performed(operation: Operation) -> Operation:
    """The operation, once this process has done it as a worker would."""
    tasks.run(str(operation.pk))
    operation.refresh_from_db()
    return operation


def fresh(guest: Guest) -> Guest:
    """The guest as its row is now."""
    return Guest.objects.select_related("host", "owner").get(pk=guest.pk)
