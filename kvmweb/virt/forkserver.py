"""The process that forks children (see `children`).

It has one thread and no libvirt connection, so a fork of it is a sound process.

    server -> us   once: ready
    us -> server   one byte and a socket, as a descriptor
    server -> us   the child's pid, and a pidfd, as a descriptor

The child then receives (target, args, kwargs) on that socket and calls
target(channel, …).
"""

import contextlib
import ctypes
import gc
import importlib
import os
import selectors
import shutil
import signal
import socket
import struct
import sys
import tempfile
from multiprocessing.connection import Connection
from pathlib import Path

from kvmweb.virt.children import READY

# Imported once here instead of in every child.
PRELOADED = ("connection", "domains", "storage", "networks", "eye")

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Serve until the other end of the socket is closed; then take all children along.

    Arguments: the descriptor of the socket, the private directory for children's files.
    """
    control = socket.socket(fileno=int(sys.argv[1]))
    home = Path(sys.argv[2])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in PRELOADED:
        importlib.import_module(f"kvmweb.virt.{name}")
    gc.freeze()  # keeps the pages that children share from being written to
    control.send(READY)
    mine = _Server(control, home).serve()
    if mine is not None:
        _be_child(mine)


class _Server:
    """Forks on request, reaps, and cleans up after each child."""

    def __init__(self, control: socket.socket, home: Path) -> None:
        self._control = control
        self._home = home
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)
        self._pids: dict[int, int] = {}  # by pidfd

    def serve(self) -> socket.socket | None:
        """In each child: its socket. In the server: None, when it is over."""
        while True:
            for key, _ in self._selector.select():
                if key.fd in self._pids:
                    self._reap(key.fd)
                    continue
                asked, fds, _, _ = socket.recv_fds(
                    self._control, 1, 1, socket.MSG_CMSG_CLOEXEC
                )
                if not asked:
                    self._end()
                    return None
                if self._fork(fds[0]) == 0:
                    return socket.socket(fileno=fds[0])

    def _fork(self, fd: int) -> int:
        server = os.getpid()
        pid = os.fork()
        if pid == 0:
            _die_with(server)
            self._forget()
            return 0
        os.close(fd)
        pidfd = os.pidfd_open(pid)
        self._pids[pidfd] = pid
        self._selector.register(pidfd, selectors.EVENT_READ)
        with contextlib.suppress(OSError):  # nobody listens: the next receive says so
            socket.send_fds(self._control, [struct.pack("i", pid)], [pidfd])
        return pid

    def _forget(self) -> None:
        """In a child: let go of what belongs to the server and its other children."""
        self._selector.close()
        self._control.close()
        for pidfd in self._pids:
            os.close(pidfd)
        tempfile.tempdir = str(self._home / str(os.getpid()))
        Path(tempfile.tempdir).mkdir(mode=0o700)

    def _reap(self, pidfd: int) -> None:
        pid = self._pids.pop(pidfd)
        self._selector.unregister(pidfd)
        os.close(pidfd)
        os.waitpid(pid, 0)
        shutil.rmtree(self._home / str(pid), ignore_errors=True)

    def _end(self) -> None:
        for pid in self._pids.values():
            os.kill(pid, signal.SIGKILL)
        for pidfd in tuple(self._pids):
            self._reap(pidfd)
        shutil.rmtree(self._home, ignore_errors=True)


def _die_with(parent: int) -> None:
    """Have the kernel kill this process when `parent`, or its thread, has ended."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before we asked
        os._exit(1)


def _be_child(mine: socket.socket) -> None:
    channel = Connection(mine.detach())
    try:
        target, args, kwargs = channel.recv()
    except EOFError:
        return
    target(channel, *args, **kwargs)  # a mistake is printed before the channel closes


if __name__ == "__main__":
    main()
