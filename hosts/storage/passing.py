"""A child of ours that carries a volume's content, watched until it ends."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from kvmweb.errors import AppError, HostTimeout
from kvmweb.operations.models import Operation
from kvmweb.operations.run import Run
from kvmweb.virt.children import Child
from kvmweb.virt.transfer import Done, Listening, Moved
from kvmweb.virt.types import VolumeFacts
from kvmweb.virt.volumes import COPY_S

_QUIET_S = 75.0  # a little longer than the child itself waits for its client
_START_S = 20.0
_LOOK_S = 0.5

Progress = Callable[[int], None]


def socket_of(operation: Operation) -> Path:
    """Where the child of this operation listens for who brings or takes content."""
    return Path(settings.INTERNAL_SOCKETS) / f"content-{operation.pk.hex[:16]}.sock"


def second_socket_of(operation: Operation) -> Path:
    """Another one, for content that goes from volume to volume."""
    return Path(settings.INTERNAL_SOCKETS) / f"copy-{operation.pk.hex[:16]}.sock"


@contextmanager
def listening(run: Run, child: Child, socket: Path) -> Iterator[None]:
    """A child whose socket is there; afterwards neither of them is."""
    try:
        until = time.monotonic() + _START_S
        while not isinstance(_heard(run, child, _START_S), Listening):
            if time.monotonic() > until:
                raise HostTimeout("The host did not open its volume in time.")
        yield
    finally:
        child.kill()
        socket.unlink(missing_ok=True)


def carried(run: Run, child: Child, progress: Progress = lambda _bytes: None) -> int:
    """How many bytes it carried, once all have passed. Looks up to be cancelled.

    Raises what went wrong there, and HostTimeout when it says nothing for too long.
    """
    while True:
        match _heard(run, child, _QUIET_S):
            case Moved(count):
                progress(count)
            case Done(count):
                return count


def copied(run: Run, child: Child, tell: Callable[[], None]) -> VolumeFacts:
    """The volume that the host has copied; `tell` is called while that goes on.

    Raises what went wrong there, Cancelled, and HostTimeout after hours.
    """
    until = time.monotonic() + COPY_S
    try:
        while not child.channel.poll(_LOOK_S):
            run.check_cancelled()
            tell()
            if time.monotonic() > until:
                raise HostTimeout("The copy has taken too long; it is given up.")
        facts = _said(child)
    finally:
        child.kill()
    if not isinstance(facts, VolumeFacts):
        raise HostTimeout("The host did not say what became of the copy.")
    return facts


def _heard(run: Run, child: Child, within_s: float) -> object:
    """The next thing it says. Raises what it says went wrong."""
    until = time.monotonic() + within_s
    while not child.channel.poll(_LOOK_S):
        run.check_cancelled()
        if time.monotonic() > until:
            raise HostTimeout("Nothing has moved for too long; the rest is given up.")
    return _said(child)


def _said(child: Child) -> object:
    try:
        said = child.channel.recv()
    except (EOFError, OSError) as error:
        raise HostTimeout("Our own process that carried the content ended.") from error
    if isinstance(said, AppError):
        raise said
    return said
