"""One flight of a canary: sent, watched to its end, and looked for on both hosts."""

import time
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID, uuid4

from guests.canary import nest, paper
from guests.canary.models import Canary
from guests.canary.nest import Nest
from guests.migration import ways
from hosts.models import Host
from hosts.services import address_of, need_up
from kvmweb.errors import AppError, Conflict, HostTimeout, NotFound
from kvmweb.operations.run import Run
from kvmweb.virt import connection, domains, migration, migration_luggage
from kvmweb.virt.children import Child
from kvmweb.virt.migration import MigrationJob
from kvmweb.virt.migration_jobs import Abort, Ended, Trip, carry
from kvmweb.virt.types import DomainState

FLIGHT_S = 90.0  # a guest this small is there in a second or two
_STOPPING_S = 20.0
_LOOK_S = 0.25
_SETTLE_S = 30.0
_DOWNTIME_MS = 500


@dataclass(frozen=True, slots=True)
class Flight:
    """What came of it."""

    seconds: float
    downtime_ms: int | None
    rate_bytes_s: int | None


class Bird:
    """A canary that is out, and where it is now."""

    def __init__(self, run: Run) -> None:
        uuid = uuid4()
        name = f"{paper.NAME}-{uuid.hex[:8]}"
        self._run = run
        self._nests: dict[int, Nest] = {}
        self.row = Canary.objects.create(
            uuid=uuid, name=name, operation=run.operation.pk
        )
        self.home: Host | None = None
        self.born: Host | None = None

    def hatch(self, host: Host) -> None:
        """Have it run on this host, and nowhere else. Raises AppError."""
        self.end()
        need_up(host)
        there = self._nest(host)
        xml = paper.document(
            self.row.name, self.row.uuid, host, there.kernel, there.initrd
        )
        with connection.connect(address_of(host)) as asked:
            asked.run(domains.create, xml)
        self.home = self.born = host

    def fly(self, target: Host) -> Flight:
        """Move it there, live. Raises AppError when it is not there afterwards."""
        source = self.home
        if source is None:
            raise Conflict("The canary is nowhere now.")
        for host in (source, target):
            host.refresh_from_db()
            need_up(host)
        trip = self._trip(source, target, self._nest(target))
        begun = time.monotonic()
        ended, last = self._sent(source, trip, target)
        seconds = time.monotonic() - begun
        self._need_there(source, target, ended.error)
        self.home = target
        return self._measured(target, seconds, last)

    def end(self) -> None:
        """Stop it, wherever it may be. Raises HostTimeout when a host cannot be asked."""
        for host in Host.objects.filter(pk__in=self.row.hosts):
            stop(self.row.uuid, self.row.name, host)
        self.home = None

    def _nest(self, host: Host) -> Nest:
        if host.pk not in self._nests:
            self._nests[host.pk] = nest.build(self._run, self.row, host)
        return self._nests[host.pk]

    def _trip(self, source: Host, target: Host, there: Nest) -> Trip:
        with connection.connect(address_of(source)) as asked:
            luggage = asked.run(migration_luggage.pack, self.row.uuid)
        return Trip(
            uuid=self.row.uuid,
            target_uri=ways.target_uri(target),
            migrate_uri=ways.migrate_uri(target),
            xml=paper.elsewhere(luggage.xml, there.kernel, there.initrd),
            persistent_xml="",
            copied=(),
            shared_disks=False,
            bandwidth_mib_s=0,
            downtime_ms=_DOWNTIME_MS,
            auto_converge=False,
            post_copy=False,
            compression=False,
            parallel=0,
            tls=ways.encrypted(source, target),
        )

    def _sent(
        self, source: Host, trip: Trip, target: Host
    ) -> tuple[Ended, MigrationJob | None]:
        """How the call ended; one that takes too long is stopped."""
        child = connection.spawn(carry, address_of(source), trip, address_of(target))
        try:
            return self._watched(child)
        finally:
            child.kill()

    def _watched(self, child: Child) -> tuple[Ended, MigrationJob | None]:
        until, stopping, last = time.monotonic() + FLIGHT_S, False, None
        while True:
            if time.monotonic() > until:
                detail = f"It was not there within {FLIGHT_S:g} s."
                if stopping:
                    return Ended(HostTimeout(detail)), last
                stopping, until = True, time.monotonic() + _STOPPING_S
                child.channel.send(Abort())
            try:
                if not child.channel.poll(_LOOK_S):
                    continue
                said = child.channel.recv()
            except (EOFError, OSError):
                detail = "Our own process that moved it ended."
                return Ended(HostTimeout(detail)), last
            if isinstance(said, MigrationJob):
                last = said
            if isinstance(said, Ended):
                return said, last

    def _need_there(self, source: Host, target: Host, error: AppError | None) -> None:
        """Nothing, if it runs at its target and its source has forgotten it.

        Whatever the call has said, both are asked.
        """
        until = time.monotonic() + _SETTLE_S
        while True:
            with connection.connect(address_of(target)) as asked:
                there = asked.run(migration.whereabouts, self.row.uuid)
            with connection.connect(address_of(source)) as asked:
                here = asked.run(migration.whereabouts, self.row.uuid)
            if (
                here is None
                and there is not None
                and there.state == DomainState.RUNNING
            ):
                return
            if error is not None and (here is None or here.whole) and there is None:
                raise error
            if time.monotonic() > until:
                raise error or Conflict(
                    f"It is {there.state if there else 'not'} on {target.name} and "
                    f"{here.state if here else 'not'} on {source.name}."
                )
            time.sleep(_LOOK_S)

    def _measured(
        self, target: Host, seconds: float, last: MigrationJob | None
    ) -> Flight:
        with connection.connect(address_of(target)) as asked:
            job = asked.run(migration.completed_job, self.row.uuid)
        rate = (job and job.memory_rate_bytes_s) or (last and last.memory_rate_bytes_s)
        return Flight(seconds, job.downtime_ms if job else None, rate or None)


def stop(uuid: UUID, name: str, host: Host) -> None:
    """See to it that this host does not run it. Raises HostError."""
    with connection.connect(address_of(host)) as asked:
        if asked.run(migration.whereabouts, uuid) is None:
            return
        with suppress(NotFound):  # it has just gone
            asked.run(domains.force_off, uuid)
        if asked.run(migration.whereabouts, uuid) is not None:
            raise Conflict(f"{name} does not end on {host.name}.")
