"""The shell on a demo guest's serial port, as somebody who types."""

import time
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import libvirt

from deploy.lab_host import LabHost

_WAIT_S = 90.0
_PROMPT = "demo:"


class Shell:
    """A guest that boots or has booted; `say` runs a command and gives its output."""

    def __init__(self, host: LabHost, uuid: UUID) -> None:
        self._host, self._uuid = host, uuid
        self._heard = ""
        self._number = 0

    def __enter__(self) -> Self:
        self._conn: Any = libvirt.open(self._host.unix_uri)
        self._stream: Any = self._conn.newStream(libvirt.VIR_STREAM_NONBLOCK)
        domain = self._conn.lookupByUUIDString(str(self._uuid))
        domain.openConsole(None, self._stream, libvirt.VIR_DOMAIN_CONSOLE_FORCE)
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._stream.abort()
        self._conn.close()

    def booted(self) -> Self:
        """Once its shell answers."""
        until = time.monotonic() + _WAIT_S
        asked = 0.0
        while _PROMPT not in self._heard:
            if time.monotonic() - asked > 0.5:
                self._type("\n")
                asked = time.monotonic()
            self._hear(until)
        return self

    def say(self, command: str) -> str:
        """What the command prints."""
        self._number += 1
        begin, end = f"begin-{self._number}-", f"end-{self._number}-"
        self._heard = ""
        # The marks are spelt so that the echo of what is typed is no mark.
        self._type(f"echo {begin}''x; {command}; echo {end}''x\n")
        until = time.monotonic() + _WAIT_S
        while f"{end}x" not in self._heard:
            self._hear(until)
        said = self._heard.partition(f"{begin}x")[2].partition(f"{end}x")[0]
        return said.replace("\r", "").strip()

    def _type(self, text: str) -> None:
        data = text.encode()
        while data:
            sent = self._stream.send(data)
            if sent < 0:
                time.sleep(0.01)
                continue
            data = data[sent:]

    def _hear(self, until: float) -> None:
        self._conn.getLibVersion()  # without an event loop a call brings the data in
        said = self._stream.recv(4096)
        if isinstance(said, bytes) and said:
            self._heard += said.decode(errors="replace")
            return
        assert time.monotonic() < until, f"The guest said only {self._heard!r}"
        time.sleep(0.02)
