"""Child processes that may be killed at any moment: a small server forks them.

libvirt's calls cannot be interrupted and its threads do not survive a fork, so what may
hang runs in a child. Python's own fork server is not used: its children first import
the program that asked (all of Celery, all of Django), and a child that hangs keeps it
alive after we died. Ours has no threads and only the modules of `kvmweb.virt`; a fork
of it is there within milliseconds. The server ends when we do, by the end of its
socket; the children end with the server, by the kernel. Their temporary files lie in
a private directory that goes with them.
"""

import atexit
import contextlib
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeAlias

from kvmweb.errors import Unavailable

P = ParamSpec("P")
Channel: TypeAlias = "Connection[Any, Any]"  # pickled values, both ways

READY = b"r"  # what the server says when it serves
_SERVER = "kvmweb.virt.forkserver"
_START_S = 15.0  # importing the modules on a busy machine
_KILL_S = 2.0
_PID = struct.Struct("i")


class Child:
    """A running child: its channel, and the power to end it."""

    def __init__(self, pid: int, pidfd: int, channel: Channel) -> None:
        self.pid = pid
        self.channel = channel  # both ways; readable at its end, too
        self._pidfd = pidfd  # a pid may be given to another process, this may not
        self._lock = threading.Lock()

    def fileno(self) -> int:
        """The descriptor to wait on for something to receive."""
        return self.channel.fileno()

    @property
    def alive(self) -> bool:
        """Whether the process is still there."""
        with self._lock:
            return self._pidfd >= 0 and not wait([self._pidfd], 0)

    def kill(self) -> None:
        """End it at once, whatever it is doing. Harmless when it has ended."""
        with self._lock:
            if self._pidfd < 0:
                return
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            wait([self._pidfd], _KILL_S)
            os.close(self._pidfd)
            self._pidfd = -1
            self.channel.close()


def fork(
    target: Callable[Concatenate[Channel, P], None],
    *args: P.args,
    **kwargs: P.kwargs,
) -> Child:
    """Run `target(channel, …)` in a new child and return at once.

    `target` is a function of a module; the arguments travel by the channel, so secrets
    are in no command line and no environment. Raises Unavailable.
    """
    ours, theirs = socket.socketpair()
    try:
        with theirs:
            pid, pidfd = _server.fork(theirs)
    except BaseException:
        ours.close()
        raise
    child = Child(pid, pidfd, Connection(ours.detach()))
    try:
        child.channel.send((target, args, kwargs))
    except BaseException:
        child.kill()
        raise
    return child


def warm_up() -> None:
    """Start the server now, so that the first child is there at once.

    Takes part of a second, the first time. Raises Unavailable.
    """
    _server.warm_up()


def use_directory(path: Path) -> None:
    """Keep the private directories of later children under this one (default: /tmp)."""
    _server.directory = path


def stop() -> None:
    """End the server and with it every child of this process."""
    _server.stop()


class _Server:
    """Our end of the server; started with the first child, and again if it died."""

    def __init__(self) -> None:
        self.directory: Path | None = None
        self._lock = threading.Lock()
        self._owner = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._home = ""

    def fork(self, theirs: socket.socket) -> tuple[int, int]:
        """The pid and pidfd of a new child that holds `theirs`."""
        with self._lock:
            try:
                return self._ask(self._ready(), theirs)
            except OSError:  # it died since
                self._stop()
            try:
                return self._ask(self._ready(), theirs)
            except OSError as error:
                self._stop()
                raise _unavailable() from error

    def warm_up(self) -> None:
        with self._lock:
            self._ready()

    def stop(self) -> None:
        with self._lock:
            self._stop()

    @staticmethod
    def _ask(server: socket.socket, theirs: socket.socket) -> tuple[int, int]:
        socket.send_fds(server, [b"f"], [theirs.fileno()])
        answer, fds, _, _ = socket.recv_fds(
            server, _PID.size, 1, socket.MSG_CMSG_CLOEXEC
        )
        if len(answer) != _PID.size or not fds:
            raise ConnectionResetError("the fork server has ended")
        return _PID.unpack(answer)[0], fds[0]

    def _ready(self) -> socket.socket:
        """The socket of the server, once it serves."""
        if self._socket is None or self._owner != os.getpid():
            try:
                self._socket = self._start()
            except OSError as error:
                self._stop()
                raise _unavailable() from error
        return self._socket

    def _start(self) -> socket.socket:
        self._owner = os.getpid()
        self._home = tempfile.mkdtemp(prefix="kvmweb-", dir=self.directory)
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", _SERVER, str(theirs.fileno()), self._home],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for us, not for it
                env={
                    "PATH": os.environ.get("PATH", os.defpath),
                    "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path)),
                    "LC_ALL": "C.UTF-8",  # libvirt's and ssh's texts are read by us
                    "LIBVIRT_DEBUG": "error",  # warnings come back as errors, explained
                    "HOME": self._home,  # no auth.conf or ~/.pki of whoever runs us
                },
            )
        ours.settimeout(_START_S)
        try:
            if ours.recv(1) != READY:
                raise ConnectionResetError("the fork server has not come up")
        except BaseException:
            ours.close()
            raise
        return ours

    def _stop(self) -> None:
        if self._owner != os.getpid():  # forked: it is our parent's
            self._process = self._socket = None
            return
        if self._socket:
            self._socket.close()
        if self._process:
            try:
                self._process.wait(_KILL_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self._home, ignore_errors=True)
        self._process = self._socket = None
        self._owner = 0


def _unavailable() -> Unavailable:
    return Unavailable(
        "The process that reaches hosts cannot be started.",
        hint="Is this machine out of memory or processes?",
    )


_server = _Server()
atexit.register(_server.stop)
