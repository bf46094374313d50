"""A file of another machine into a volume: our worker reads it and passes it on."""

import hashlib
import json
import socket
import threading
from pathlib import Path
from typing import Any

from hosts.storage import filling, origins, passing
from hosts.storage.work import allowed
from kvmweb.accounts.gate import Right
from kvmweb.errors import AppError, Conflict, HostError
from kvmweb.operations.registry import work
from kvmweb.operations.run import Run
from kvmweb.virt.transfer import FRAME

_PIECE = 1 << 20


@work(
    "volume.fetch",
    allowed=allowed(Right.MANAGE_POOLS),
    recover=filling.unfilled,
    cancellable=True,
)
def fetch(run: Run) -> dict[str, Any]:
    """Fill a volume with what lies at an address, if its checksum is right."""
    return filling.fill(run, lambda: _Fetcher(run))


class _Fetcher(threading.Thread):
    """Brings a file to the socket where the child listens; what kept it from that."""

    def __init__(self, run: Run) -> None:
        super().__init__(name="fetching", daemon=True)
        self.error: AppError | None = None
        self._url: str = run.params["url"]
        self._sha256: str = run.params["sha256"]
        self._socket: Path = passing.socket_of(run.operation)

    def run(self) -> None:
        """Connect, read, pass on."""
        with socket.socket(socket.AF_UNIX) as child:
            try:
                child.connect(str(self._socket))
                self._bring(child)
            except AppError as error:
                self.error = error
            except OSError as error:
                self.error = HostError(f"The file did not come whole: {error}.")

    def _bring(self, child: socket.socket) -> None:
        """All of it; without the last frame when it is not what was asked for."""
        digest = hashlib.sha256()
        with origins.opened(self._url) as answer:
            left = answer.length
            while piece := answer.read(_PIECE):
                digest.update(piece)
                child.sendall(FRAME.pack(len(piece)) + piece)
            if left is not None and answer.length:
                raise HostError("The file ended before its end.")
        if self._sha256 and digest.hexdigest() != self._sha256.lower():
            raise Conflict(
                f"The file's SHA-256 checksum is {digest.hexdigest()}, not the one given."
            )
        child.sendall(FRAME.pack(0))
        with child.makefile("rb") as answers:
            json.loads(
                answers.readline() or b"{}"
            )  # the worker hears it from the child
