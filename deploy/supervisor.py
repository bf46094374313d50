"""`make run` in the foreground: starts every process in order, keeps it, ends it.

Ctrl-C or SIGTERM ends all within 5 seconds; guests go on.
"""

import asyncio
import fcntl
import json
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from deploy import database, kvm, local_host, processes
from deploy.keeping import Supervisor
from deploy.output import Output
from deploy.places import ROOT, data_dir, log_dir
from deploy.processes import SettingError, Settings

_PASSWORD = "KVMWEB_ADMIN_PASSWORD"  # noqa: S105  its name
_READY_S = 60
_LEAST_FREE_MIB = 100


class StartError(Exception):
    """The product cannot be started; one sentence that says what to do."""


def main() -> int:
    """Run the product until it is told to end; the exit status."""
    os.chdir(ROOT)
    os.umask(0o077)
    try:
        here = processes.settings(data_dir())
        with _lock(here) as lock:
            _check_space(here.data_dir)
            _check_port(here)
            _more_open_files()
            output = Output(log_dir() / "kvmweb.log")
            try:
                asyncio.run(_Product(here, output).run())
            finally:
                output.close()
                lock.truncate(0)
    except (SettingError, StartError) as error:
        print(error, file=sys.stderr, flush=True)
        return 1
    return 0


class _Product:
    def __init__(self, here: Settings, output: Output) -> None:
        self._here = here
        self._output = output
        # Only what makes the first user needs to know it.
        password = os.environ.pop(_PASSWORD, "")
        self._first_password = {_PASSWORD: password} if password else {}
        self._keeper = Supervisor(here.data_dir / "run", self._line)

    async def run(self) -> None:
        """Start, and keep until SIGINT, SIGTERM, SIGHUP or the end of what started us."""
        asked_to_end = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, asked_to_end.set)
        waits: list[asyncio.Task[object]] = [asyncio.create_task(asked_to_end.wait())]
        if make_pid := _make_pid():
            waits.append(asyncio.create_task(_make_wants_the_end(make_pid)))
        start = asyncio.create_task(self._start())
        try:
            await asyncio.wait([start, *waits], return_when=asyncio.FIRST_COMPLETED)
            if start.done():
                start.result()
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            self._output.say("Ending; guests go on")
        finally:
            start.cancel()
            for wait in waits:
                wait.cancel()
            await self._keeper.stop()

    def _line(self, name: str, text: str) -> None:
        """The log has all; Redis and libvirtd have nothing to say to a person."""
        ours = name not in {"redis", "libvirtd", "virtlogd"} or text.startswith("Ended")
        self._output.line(name, text, shown=ours)

    async def _start(self) -> None:
        self._keeper.end_left_behind()
        if self._here.own_redis:
            self._keeper.start(processes.redis(self._here))
        first_time, *_ = await asyncio.gather(
            self._migrate(), self._redis_answers(), self._host()
        )
        self._keeper.start(processes.web(self._here))
        # Two processors are soon busy: on later runs the pages come before the rest.
        before = [self._bootstrap()] if first_time else []
        await asyncio.gather(self._web_answers(), *before)
        for process in processes.others(self._here):
            self._keeper.start(process)
        self._output.say(
            f"kvmweb is at {self._here.url} (Ctrl-C ends it; guests go on)"
        )
        if not first_time:
            await self._bootstrap()

    async def _host(self) -> None:
        """This machine's libvirtd, and on the first run whether its KVM is any good."""
        found = await asyncio.to_thread(local_host.prepare)
        if found.line:
            self._output.say(found.line)
        for process in found.processes:
            self._keeper.start(process)
        if found.processes:
            await self._until(local_host.answers, "libvirtd")
        if os.environ.get("KVMWEB_LOCAL_HOST") != "off":
            await asyncio.to_thread(kvm.answer, self._here.data_dir)

    async def _migrate(self) -> bool:
        """Whether there was anything to do."""
        arguments = database.migration()
        if not arguments:
            return False
        self._output.say("Bringing the database up to date")
        await self._manage(*arguments)
        database.migrated()
        return True

    async def _bootstrap(self) -> None:
        said = await self._manage("bootstrap", **self._first_password)
        for line in said.splitlines():
            self._output.say(line)

    async def _manage(self, *arguments: str, **environment: str) -> str:
        """What one of Django's commands printed. Raises StartError when it fails."""
        child = await asyncio.create_subprocess_exec(
            *processes.manage(*arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **environment},
            start_new_session=True,
        )
        try:
            said, errors = await child.communicate()
        except asyncio.CancelledError:
            child.kill()
            raise
        for line in errors.decode(errors="replace").splitlines():
            self._output.line(arguments[0], line, shown=False)
        if child.returncode:
            last = (errors.decode(errors="replace").strip().splitlines() or [""])[-1]
            raise StartError(
                f"'manage.py {arguments[0]}' failed: {last} "
                f"All it said is in {log_dir() / 'kvmweb.log'}."
            )
        return said.decode()

    async def _redis_answers(self) -> None:
        if self._here.own_redis:
            await self._until(lambda: _pong(self._here.redis_socket), "Redis")

    async def _web_answers(self) -> None:
        await self._until(lambda: _alive(self._here), "The web process")

    async def _until(self, true: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _READY_S
        while not await asyncio.to_thread(true):
            if time.monotonic() > deadline:
                raise StartError(
                    f"{what} does not answer after {_READY_S} s: "
                    f"see {log_dir() / 'kvmweb.log'}."
                )
            await asyncio.sleep(0.05)


def _lock(here: Settings) -> TextIO:
    """An open file that says who runs here; its lock goes with the process."""
    path = here.data_dir / "supervisor.lock"
    lock = path.open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        said = json.loads(lock.read() or "{}")
        where = said.get("url", "an address it has not said yet")
        raise StartError(
            f"kvmweb already runs with the data in {here.data_dir}: "
            f"it is at {where} (process {said.get('pid', 'unknown')})."
        ) from None
    lock.truncate(0)
    lock.write(json.dumps({"pid": os.getpid(), "url": here.url}))
    lock.flush()
    return lock


def _check_space(folder: Path) -> None:
    found = os.statvfs(folder)
    free_mib = found.f_bavail * found.f_frsize >> 20
    if free_mib < _LEAST_FREE_MIB:
        raise StartError(
            f"Only {free_mib} MiB are free in {folder}: "
            f"kvmweb needs {_LEAST_FREE_MIB} MiB to run."
        )


def _check_port(here: Settings) -> None:
    family = socket.AF_INET6 if ":" in here.bind else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((here.bind, here.port))
        except OSError as error:
            raise StartError(
                f"Port {here.port} of {here.bind} cannot be had ({error.strerror}): end "
                f"what uses it, or try 'KVMWEB_PORT={here.port + 1} make run'."
            ) from error


def _more_open_files() -> None:
    """Each open page and each host costs one; the usual limit of 1024 is soon reached."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _make_wants_the_end(make_pid: int) -> None:
    """Return when the `make` that started us ended, or got a SIGINT it cannot pass on.

    Make passes a SIGTERM on to us, but waits for us silently after a SIGINT that was
    sent to it alone: all that shows is that it does not catch that signal any more.
    In the background of a shell it never did: there it is deaf to SIGINT.
    """
    caught = _catches(make_pid, signal.SIGINT)
    while os.getppid() == make_pid and (  # noqa: ASYNC110  nothing tells of it
        not caught or _catches(make_pid, signal.SIGINT)
    ):
        await asyncio.sleep(0.3)


def _make_pid() -> int:
    """Of the `make` that started us; 0 when something else did."""
    parent = os.getppid()
    name = Path(f"/proc/{parent}/comm")
    return parent if name.exists() and name.read_text().strip() == "make" else 0


def _catches(pid: int, number: signal.Signals) -> bool:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("SigCgt:"):
            return bool(int(line.split()[1], 16) >> (number - 1) & 1)
    return False


def _pong(path: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1)
            probe.connect(str(path))
            probe.sendall(b"PING\r\n")
            return probe.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def _alive(here: Settings) -> bool:
    host = here.url.removeprefix("http://").rpartition(":")[0].strip("[]")
    request = f"GET /healthz HTTP/1.0\r\nHost: {here.url[7:-1]}\r\n\r\n"
    try:
        with socket.create_connection((host, here.port), timeout=2) as probe:
            probe.sendall(request.encode())
            return b" 200 " in probe.recv(64)
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())
