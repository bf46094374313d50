"""Secrets of an operation: sealed beside it, opened by its work, gone when it ends."""

from guests.inside.models import SealedWords
from hosts.vault import open_text, seal_text
from kvmweb.errors import Conflict
from kvmweb.operations.models import Operation
from kvmweb.operations.run import Run


def keep(operation: Operation, words: str) -> None:
    """Remember this for the operation's work. Call it where the operation is submitted."""
    SealedWords.objects.create(operation=operation, sealed=seal_text(words))


def opened(run: Run) -> str:
    """What was kept for this operation. Raises Conflict when it was used already."""
    row = SealedWords.objects.filter(operation=run.operation).first()
    if row is None:
        raise Conflict(
            f"This was interrupted: whether it came true in {run.operation.guest_name} "
            "is not known.",
            hint="Ask for it again.",
        )
    return open_text(row.sealed)


def forget(run: Run) -> None:
    """Take away what was kept for this operation."""
    SealedWords.objects.filter(operation=run.operation).delete()


def forget_ended() -> None:
    """Take away what was kept for operations that ended without their work."""
    ended = SealedWords.objects.exclude(operation__state__in=Operation.ACTIVE)
    ended.delete()
