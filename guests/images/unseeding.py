"""Seeds go after the first boot, so that what was secret in them does not stay on disk.

Every few seconds `look` finds the guests that have booted: their agent says so, or they
were off once since, or they have run for half an hour. An operation takes the CD out of
the guest and deletes its volume. One that fails is tried again, until the seed is gone.
"""

from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from guests.far import OFF, Far, far_guest
from guests.images.models import Seed
from guests.models import Guest, Happening
from hosts.models import Host
from hosts.services import address_of
from hosts.storage import holdings
from kvmweb.errors import AppError, Conflict, HostUnreachable, NotFound
from kvmweb.operations.models import Operation
from kvmweb.operations.run import Run
from kvmweb.operations.services import submit
from kvmweb.virt import changes, connection, firstboot, storage, streams
from kvmweb.virt.types import DomainState
from kvmweb.virt.xml.devices import Disk
from kvmweb.virt.xml.domain import Domain

LONGEST_BOOT = timedelta(minutes=30)
ORPHANED = timedelta(hours=1)  # a guest that has not appeared by then never will
_AGAIN = timedelta(seconds=15)
_AGAIN_MOST = timedelta(hours=1)
_AT_ONCE = 50


def look() -> list[Operation]:
    """Begin to take away the seeds that are not needed any more; what was begun."""
    now = timezone.now()
    rows = Seed.objects.filter(next_try_at__lte=now).select_related("host")
    begun, silent = [], set[int]()
    for row in rows.exclude(written_at=None, created_at__gt=now - ORPHANED)[:_AT_ONCE]:
        guest = Guest.objects.select_related("host").filter(pk=row.guest).first()
        if _is_busy(row) or not _is_over(row, guest, now, silent):
            continue
        if operation := _begin(row, guest, now):
            begun.append(operation)
    return begun


def remove(run: Run) -> None:
    """Take the seed out of its guest, and delete its volume. May be done twice."""
    row = Seed.objects.select_related("host").filter(pk=run.params["seed"]).first()
    if row is None:
        run.say("It was taken away already.")
        return
    name = row.guest_name
    if run.operation.host and row.path:
        with far_guest(run) as far:
            _pull(run, far, row.path)
    if row.host and row.path:
        run.progress(0.6, "deleting its volume")
        _delete(run, row.host, row.path)
    row.delete()
    run.say(f"{name} has booted; what it was told for that is deleted.")


def _is_busy(row: Seed) -> bool:
    """Whether anything is under way with its guest: then it is looked at later."""
    rows = Operation.objects.filter(state__in=Operation.ACTIVE)
    return rows.filter(Q(guest=row.guest) | Q(pk__in=[row.operation])).exists()


def _is_over(row: Seed, guest: Guest | None, now: datetime, silent: set[int]) -> bool:
    """Whether its guest needs it no more; remembers when it was first seen running."""
    if guest is None:
        return now - row.created_at > ORPHANED
    if guest.state == DomainState.GONE:
        return _was_deleted(row) or now - row.created_at > LONGEST_BOOT
    if guest.state in OFF:
        return _has_run(row)
    return guest.state == DomainState.RUNNING and _has_booted(row, guest, now, silent)


def _has_booted(row: Seed, guest: Guest, now: datetime, silent: set[int]) -> bool:
    if row.ran_since is None:
        row.ran_since = now
        row.save(update_fields=["ran_since"])
    if now - row.ran_since > LONGEST_BOOT:
        return True
    return bool(guest.agent) and _says_so(guest, silent)


def _has_run(row: Seed) -> bool:
    if row.ran_since is not None:
        return True
    happened = Happening.objects.filter(guest=row.guest, what="started")
    return happened.filter(at__gte=row.written_at or timezone.now()).exists()


def _was_deleted(row: Seed) -> bool:
    rows = Operation.objects.filter(guest=row.guest, kind="guest.delete")
    return rows.filter(state=Operation.State.SUCCEEDED).exists()


def _says_so(guest: Guest, silent: set[int]) -> bool:
    """Whether its agent says that the first boot is over; each hung host costs once."""
    host = guest.host
    if host is None or host.state != Host.State.UP or host.pk in silent:
        return False
    try:
        with connection.connect(address_of(host)) as there:
            return there.run(firstboot.is_finished, guest.pk)
    except HostUnreachable:
        silent.add(host.pk)
    except AppError:
        pass  # it has just gone off or away: the next look knows more
    return False


def _begin(row: Seed, guest: Guest | None, now: datetime) -> Operation | None:
    """One try to take it away; the next one comes later and later."""
    there = guest is not None and guest.state != DomainState.GONE
    host = guest.host if guest is not None and there else None
    for each in filter(None, (host, row.host)):
        if each.state != Host.State.UP:
            return None
    try:
        operation = submit(
            "guest.remove-seed",
            by=None,
            guest=row.guest,
            guest_name=row.guest_name,
            host=host.pk if host else None,
            host_name=host.name if host else "",
            params={"seed": row.pk},
        )
    except Conflict:
        return None  # somebody was quicker: it is busy now
    row.operation, row.tries = operation.pk, row.tries + 1
    row.next_try_at = now + min(_AGAIN * 2 ** min(row.tries, 10), _AGAIN_MOST)
    row.save(update_fields=["operation", "tries", "next_try_at"])
    return operation


def _pull(run: Run, far: Far, path: str) -> None:
    """Take the CD out of what runs and of what is defined."""
    try:
        documents = far.run(changes.documents)
    except NotFound:
        return  # undefined meanwhile; its volume still goes
    run.progress(0.2, "taking the CD out")
    for text, live in ((documents.live, True), (documents.config, False)):
        if not text:
            continue
        for disk in Domain.parse(text).disks:
            if disk.file == path:
                _pull_disk(far, disk, live=live)


def _pull_disk(far: Far, disk: Disk, *, live: bool) -> None:
    """The CD comes out; its drive stays, for the next CD, which may come while it runs."""
    empty = Disk.make(type="file", device="cdrom", driver="qemu", format="raw")
    empty.target, empty.bus, empty.readonly = disk.target, disk.bus, True
    far.run(changes.update_device, str(empty), live=live, config=not live, force=True)


def _delete(run: Run, host: Host, path: str) -> None:
    """Its volume; one that a snapshot still names is emptied instead."""
    with connection.connect(address_of(host)) as there:
        try:
            there.run(storage.delete_volume, path)
        except NotFound:
            pass
        except Conflict as error:
            facts = there.run(storage.look_volume, path)
            if facts is None:
                raise
            there.run(streams.write, path, bytes(facts.capacity_bytes))
            run.log(f"{error.detail} So it was overwritten with zeros.")
    holdings.forget(host, path)
