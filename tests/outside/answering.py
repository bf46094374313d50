"""Servers beside us that a test waits for."""

import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from tests.waiting import until


@contextmanager
def answering(
    command: Sequence[str], port: int, environment: Mapping[str, str] | None = None
) -> Iterator[None]:
    """The program runs, and answers on this port of this machine, until we are done."""
    process = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: _answers(port), 20, why=f"{command[0]} does not answer.")
        yield
    finally:
        process.terminate()
        process.wait(10)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
