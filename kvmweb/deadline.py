"""An end for what waits on a socket: its own timeout counts each wait, not their sum."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_AGAIN_S = 0.5


@contextmanager
def cut_after(
    wait_s: float, socket_of: Callable[[], socket.socket | None]
) -> Iterator[None]:
    """Whatever the block waits for on that socket ends after so many seconds.

    `socket_of` is asked then, for a socket may be wrapped meanwhile; reading from it
    finds the end of what was sent, writing raises OSError.
    """
    done = threading.Event()
    watch = threading.Thread(
        target=_cut, args=(done, wait_s, socket_of), name="deadline", daemon=True
    )
    watch.start()
    try:
        yield
    finally:
        done.set()


def _cut(
    done: threading.Event, wait_s: float, socket_of: Callable[[], socket.socket | None]
) -> None:
    over = done.wait(wait_s)
    while not over:
        waited_on = socket_of()
        if waited_on is not None:
            with suppress(OSError):  # it ended by itself just now
                # Not that of an encrypted one, which would change it under its reader.
                socket.socket.shutdown(waited_on, socket.SHUT_RDWR)
        over = done.wait(_AGAIN_S)
