"""Files that nothing needs any more, or may: put where nobody takes them by mistake."""

from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from hosts.models import Host, Volume
from hosts.services import address_of
from hosts.storage import holdings
from hosts.storage.models import Holding
from kvmweb.errors import AppError, NotFound
from kvmweb.operations.models import Operation
from kvmweb.operations.run import Run
from kvmweb.virt import connection, storage, volumes


def unmake(run: Run, host: Host, path: str) -> None:
    """Delete a file that this very operation made and nobody uses.

    One that the host cannot delete now stays marked as half made.
    """
    try:
        with connection.connect(address_of(host)) as there:
            there.run(volumes.discard, path)
    except AppError as error:
        run.log(f"{path} stays, marked as half made: {error.detail}")
        return
    holdings.forget(host, path)


def delete(run: Run, host: Host, path: str) -> bool:
    """Whether a file was deleted that a snapshot kept; if somebody uses it, it stays."""
    try:
        with connection.connect(address_of(host)) as there:
            there.run(storage.delete_volume, path)
    except NotFound:
        return False
    except AppError as error:
        run.log(f"Kept {path}: {error.detail}")
        return False
    holdings.forget(host, path)
    run.log(f"Deleted {path}.")
    return True


def lay_aside(run: Run, host: Host, path: str, *, for_ever: bool = False) -> None:
    """Put a file into the trash, from where it can be taken out again.

    `for_ever`: only a person may delete it, because nobody knows who writes to it.
    """
    due = timezone.now() + timedelta(days=settings.TRASH_DAYS)
    values = {
        "state": Holding.State.TRASH,
        "operation": run.operation.pk,
        "author": run.operation.author,
        "since": timezone.now(),
        "due_at": None if for_ever else due,
        "problem": "",
    }
    Holding.objects.update_or_create(host=host, path=path, defaults=values)


def standing_on(host: Host, guest: UUID, paths: Collection[str]) -> list[Volume]:
    """What going back has laid aside of this guest, on top of these files.

    When such a file is merged or deleted, nothing can be done with them any more.
    """
    trash = Holding.objects.filter(host=host, state=Holding.State.TRASH)
    mine = Operation.objects.filter(guest=guest, kind="guest.revert")
    laid = trash.filter(operation__in=mine.values("pk")).values("path")
    rows = Volume.objects.filter(pool__host=host, path__in=laid)
    return list(rows.filter(backing_path__in=paths))
