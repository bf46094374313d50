"""Keeps processes alive.

One that ends is started again, after a pause that grows while it keeps ending. All
end together within 5 seconds; if this process itself is killed, the kernel ends them.
"""

import asyncio
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0
STEADY_S = 60.0  # who ran so long starts with the first pause again
GRACE_S = 3.0  # between TERM and KILL
PLAIN = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
MARK = "KVMWEB_SUPERVISED_IN"  # in the environment of all but what the others stand on
LAST_GRACE_S = 1.0  # the same for what the others stand on


@dataclass(frozen=True, slots=True)
class Process:
    """What to run, with our environment and what is added to it.

    `base` ones are what the others stand on: they are ended last, and they are no part
    of the product: they get a plain environment.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    base: bool = False


class Supervisor:
    """Starts processes, restarts those that end, ends them all."""

    def __init__(
        self,
        run_dir: Path,
        say: Callable[[str, str], None],
        *,
        first_pause_s: float = FIRST_PAUSE_S,
    ) -> None:
        """`say` gets a process's name and one line of what it said."""
        self._say = say
        self._first_pause_s = first_pause_s
        self._ending = False
        self._keepers: dict[str, tuple[Process, asyncio.Task[None]]] = {}
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._record = run_dir / "processes.json"
        self._mark = f"{MARK}={run_dir}"
        run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)

    def start(self, process: Process) -> None:
        """Start it and keep it alive until `stop`."""
        task = asyncio.create_task(self._keep(process), name=process.name)
        self._keepers[process.name] = (process, task)

    async def stop(self) -> None:
        """End every process with all its children; returns within 5 seconds."""
        self._ending = True
        await self._end([p for p, _ in self._keepers.values() if not p.base], GRACE_S)
        await self._end([p for p, _ in self._keepers.values() if p.base], LAST_GRACE_S)
        self._record.unlink(missing_ok=True)

    def end_left_behind(self) -> None:
        """End what a supervisor that was killed in this folder left running."""
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                words = path.read_bytes().split(b"\0")
            except OSError:  # it ended, or is not ours
                continue
            if self._mark.encode() in words:
                os.kill(int(path.parent.name), signal.SIGKILL)
        if self._record.exists():
            for pid, started in json.loads(self._record.read_text()).values():
                if _started(pid) == started:
                    _signal_group(pid, signal.SIGKILL)
            self._record.unlink()

    def pids(self) -> dict[str, int]:
        """Of what runs now, by name."""
        return {name: child.pid for name, child in self._running.items()}

    async def _keep(self, process: Process) -> None:
        pause_s = self._first_pause_s
        while not self._ending:
            since = time.monotonic()
            how = await self._run(process)
            if self._ending:
                return
            if time.monotonic() - since >= STEADY_S:
                pause_s = self._first_pause_s
            self._say(process.name, f"{how}; it is started again in {pause_s:g} s.")
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    async def _run(self, process: Process) -> str:
        """Run it once; how it ended."""
        # A pipe of our own: asyncio's would keep us waiting for whoever inherited it.
        ours, its = os.pipe()
        try:
            child = await asyncio.create_subprocess_exec(
                *_ended_with_us(),
                *process.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=its,
                stderr=its,
                env=self._environment(process),
                start_new_session=True,
                umask=0o022 if process.base else 0o077,
            )
        except OSError as error:
            os.close(ours)
            return f"Could not be started: {error}"
        finally:
            os.close(its)
        self._running[process.name] = child
        self._write_record()
        reader = asyncio.create_task(self._read(process.name, ours))
        try:
            status = await child.wait()
        finally:
            # What it started must not live beside its successor.
            _signal_group(child.pid, signal.SIGKILL)
            self._running.pop(process.name, None)
            self._write_record()
            await asyncio.wait([reader], timeout=1)
            reader.cancel()
        return _how(status)

    def _environment(self, process: Process) -> dict[str, str]:
        if process.base:
            return {**PLAIN, **process.environment}
        mark = dict([self._mark.split("=", 1)])
        return {**os.environ, **process.environment, **mark}

    async def _read(self, name: str, pipe: int) -> None:
        lines = asyncio.StreamReader(limit=1 << 20)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(lines), os.fdopen(pipe, "rb")
        )
        try:
            while line := await _next_line(lines):
                self._say(name, line.decode(errors="replace").rstrip())
        finally:
            transport.close()

    async def _end(self, processes: Sequence[Process], grace_s: float) -> None:
        names = [process.name for process in processes]
        tasks = [self._keepers[name][1] for name in names]
        for name in names:
            if name in self._running:
                _signal_group(self._running[name].pid, signal.SIGTERM)
            else:
                self._keepers[name][1].cancel()
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=grace_s)
        for name in names:
            if name in self._running:
                self._say(name, f"Did not end within {grace_s:g} s and is killed.")
                _signal_group(self._running[name].pid, signal.SIGKILL)
        if late:
            await asyncio.wait(late, timeout=1)

    def _write_record(self) -> None:
        running = {
            name: [child.pid, _started(child.pid)]
            for name, child in self._running.items()
        }
        fresh = self._record.with_suffix(".new")
        fresh.write_text(json.dumps(running))
        fresh.replace(self._record)


async def _next_line(lines: asyncio.StreamReader) -> bytes:
    """The next one, b"" after the last; one that is far too long is left out."""
    try:
        return await lines.readline()
    except ValueError:
        return b"(a line that was too long)\n"


def _how(status: int) -> str:
    if status < 0:
        return f"Ended by {signal.Signals(-status).name}"
    return f"Ended with status {status}"


def _ended_with_us() -> list[str]:
    """The words before a command that make the kernel end it when we are killed."""
    launcher = shutil.which("setpriv")
    return [launcher, "--pdeathsig", "TERM", "--"] if launcher else []


def _signal_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return


def _started(pid: int) -> int:
    """When a process was started, in ticks: with its id, who it is. 0: it is no more."""
    try:
        stat = Path("/proc", str(pid), "stat").read_text()
    except OSError:
        return 0
    return int(stat.rpartition(")")[2].split()[19])
