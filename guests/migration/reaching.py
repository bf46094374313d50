"""Whether one host reaches the other for a move: tried with a guest of nothing.

What counts is that memory gets from QEMU to QEMU: by the name or address that the other
host takes guests in by, through the ports libvirt chooses there. Only a migration tries
that. So one is made of a guest without disks, network or system, of some MiB; it is a
canary like others, so whatever is left of it is cleared away. In a worker.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from uuid import uuid4

from guests.canary import flying
from guests.canary.models import Canary
from guests.migration import known, ways
from guests.migration.check_models import Way
from guests.migration.sides import Reason
from hosts.models import Host
from hosts.services import address_of
from kvmweb.errors import AppError, HostTimeout
from kvmweb.operations.run import Run
from kvmweb.virt import connection, domains
from kvmweb.virt.migration_jobs import Ended, Trip, carry
from kvmweb.virt.xml.domain import OS, Domain

_TRY_S = 12.0  # a network that drops packets says nothing for minutes
_LOOK_S = 0.5
_MEMORY_BYTES = 16 * 1024**2
_PORTS = "49152 to 49215"  # migration_port_min and max of qemu.conf


def tried(run: Run, source: Host, target: Host, *, anew: bool) -> Way | None:
    """What is known of this way now; None when nothing is.

    It is tried where it was closed at the last look; with `anew` in any case. Otherwise
    it costs nothing.
    """
    row = Way.objects.filter(source=source, target=target).first()
    if not anew and (row is None or not row.reasons):
        return row
    try:
        reasons, notes = _try(run, source, target)
    except AppError as error:
        run.log(
            f"Whether {source.name} reaches {target.name} could not be tried. {error}"
        )
        return None
    known.keep_way(source, target, reasons=reasons, notes=notes)
    return Way.objects.filter(source=source, target=target).first()


def _try(
    run: Run, source: Host, target: Host
) -> tuple[tuple[Reason, ...], tuple[Reason, ...]]:
    """Reasons why not, and what to know. Raises AppError when nobody can say."""
    run.progress(0, f"trying the way from {source.name} to {target.name}")
    notes: tuple[Reason, ...] = ()
    with _nothing(run, source, target) as row:
        trip = _trip(row, source, target)
        ended = _sent(source, target, trip)
        if ended.unreached and not ended.blocked:
            trip = replace(trip, target_uri="")
            ended = _sent(source, target, trip)
        if ended.no_tls:
            notes = (known.unencrypted(source.name, target.name),)
            ended = _sent(source, target, replace(trip, tls=False))
    if ended.error is None:
        return (), notes
    if ended.blocked:
        return (_reason(ended.blocked, source, target),), notes
    raise ended.error


def _reason(blocked: str, source: Host, target: Host) -> Reason:
    address = target.migration_address or target.address
    if blocked == "name":
        return Reason(
            "name",
            f"{source.name} knows no host {address}, which is where {target.name} takes "
            "guests in.",
            f"Make the name known on {source.name} (DNS or /etc/hosts), or give "
            f"{target.name} an IP address as its migration address.",
            "check",
        )
    return Reason(
        "port",
        f"{source.name} does not get through to {target.name} at {address}, where "
        "memory would be sent.",
        f"Let {source.name} through to the TCP ports {_PORTS} of {address}, or give "
        f"{target.name} a migration address that it reaches.",
        "check",
    )


@contextmanager
def _nothing(run: Run, source: Host, target: Host) -> Iterator[Canary]:
    """A guest of nothing that runs on the source; afterwards it is nowhere."""
    uuid = uuid4()
    row = Canary.objects.create(
        uuid=uuid,
        name=f"kvmweb-canary-{uuid.hex[:8]}",
        operation=run.operation.pk,
        hosts=[source.pk, target.pk],
    )
    try:
        with connection.connect(address_of(source)) as here:
            here.run(domains.create, _document(row, source))
        yield row
    finally:
        _cleared(run, row, [target, source])


def _cleared(run: Run, row: Canary, hosts: list[Host]) -> None:
    for host in hosts:
        try:
            flying.stop(row.uuid, row.name, host)
        except AppError as error:
            run.log(f"{row.name} is taken away from {host.name} later. {error}")
        else:
            row.hosts = [pk for pk in row.hosts if pk != host.pk]
    row.save(update_fields=["hosts"])


def _document(row: Canary, host: Host) -> str:
    doc = Domain.make(
        type=host.virt_type,
        name=row.name,
        uuid=str(row.uuid),
        title="Canary",
        description="Sent by kvmweb to try the way to another host. It ends by itself.",
        memory=_MEMORY_BYTES,
        vcpus=1,
        on_reboot="destroy",
        on_crash="destroy",
    )
    doc.os = OS.make(type="hvm")
    if host.arch == "x86_64":
        doc.os.arch, doc.os.machine = host.arch, "q35"
    return str(doc)


def _trip(row: Canary, source: Host, target: Host) -> Trip:
    return Trip(
        uuid=row.uuid,
        target_uri=ways.target_uri(target),
        migrate_uri=ways.migrate_uri(target),
        xml="",
        persistent_xml="",
        copied=(),
        shared_disks=False,
        bandwidth_mib_s=0,
        downtime_ms=0,
        auto_converge=False,
        post_copy=False,
        compression=False,
        parallel=0,
        tls=ways.encrypted(source, target),
    )


def _sent(source: Host, target: Host, trip: Trip) -> Ended:
    """How the call ended; a network that says nothing blocks it."""
    child = connection.spawn(carry, address_of(source), trip, address_of(target))
    until = time.monotonic() + _TRY_S
    silent = HostTimeout(f"{target.name} was not reached within {_TRY_S:g} s.")
    try:
        while time.monotonic() < until:
            if not child.channel.poll(_LOOK_S):
                continue
            if isinstance(said := child.channel.recv(), Ended):
                return said
    except (EOFError, OSError):
        return Ended(HostTimeout("Our own process that moved it ended."))
    finally:
        child.kill()
    return Ended(silent, blocked="port")
