"""A supervisor's promises, kept with tiny processes of a shell."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from deploy.keeping import Process, Supervisor

SLEEPER = ("sh", "-c", "echo up; exec sleep 600")


class Said:
    """Every line, with its speaker."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def __call__(self, name: str, text: str) -> None:
        self.lines.append((name, text))

    def of(self, name: str) -> list[str]:
        return [text for speaker, text in self.lines if speaker == name]


@pytest.fixture
def said() -> Said:
    return Said()


def supervised(
    folder: Path, said: Said, do: Callable[[Supervisor], Awaitable[None]], **how: float
) -> float:
    """Do this with a supervisor, then stop it; how many seconds stopping took."""

    async def run() -> float:
        supervisor = Supervisor(folder / "run", said, **how)
        try:
            await do(supervisor)
        finally:
            began = time.monotonic()
            await supervisor.stop()
        return time.monotonic() - began

    return asyncio.run(run())


async def until(true: Callable[[], object], limit_s: float = 10) -> None:
    deadline = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < deadline, "It did not come true in time."
        await asyncio.sleep(0.02)


def runs(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_it_starts_a_killed_process_again(tmp_path: Path, said: Said) -> None:
    async def story(supervisor: Supervisor) -> None:
        supervisor.start(Process("worker", SLEEPER))
        await until(lambda: said.of("worker") == ["up"])
        first = supervisor.pids()["worker"]
        os.kill(first, signal.SIGKILL)
        await until(lambda: said.of("worker").count("up") == 2)
        assert supervisor.pids()["worker"] != first

    supervised(tmp_path, said, story, first_pause_s=0.1)
    assert "Ended by SIGKILL; it is started again in 0.1 s." in said.of("worker")


def test_its_pause_grows_while_a_process_keeps_ending(
    tmp_path: Path, said: Said
) -> None:
    async def story(supervisor: Supervisor) -> None:
        supervisor.start(Process("web", ("sh", "-c", "exit 3")))
        await until(lambda: len(said.of("web")) == 4)

    supervised(tmp_path, said, story, first_pause_s=0.05)
    assert said.of("web") == [
        f"Ended with status 3; it is started again in {pause:g} s."
        for pause in (0.05, 0.1, 0.2, 0.4)
    ]


def test_it_says_what_could_not_be_started(tmp_path: Path, said: Said) -> None:
    async def story(supervisor: Supervisor) -> None:
        supervisor.start(Process("web", ("/nowhere/program",)))
        await until(lambda: any("started again" in line for line in said.of("web")))

    supervised(tmp_path, said, story, first_pause_s=0.05)


def test_it_ends_deaf_processes_and_their_children_in_five_seconds(
    tmp_path: Path, said: Said
) -> None:
    deaf = "trap '' TERM; sh -c 'trap \"\" TERM; echo $$; while :; do sleep 1; done'"
    pids: list[int] = []

    async def story(supervisor: Supervisor) -> None:
        supervisor.start(Process("deaf", ("sh", "-c", deaf)))
        supervisor.start(Process("redis", ("sh", "-c", deaf), base=True))
        await until(lambda: said.of("deaf") and said.of("redis"))
        pids.extend(supervisor.pids().values())
        pids.extend(int(said.of(name)[0]) for name in ("deaf", "redis"))

    took_s = supervised(tmp_path, said, story)
    assert took_s < 5
    assert not [pid for pid in pids if runs(pid)]


def test_what_the_others_stand_on_is_ended_last(tmp_path: Path, said: Said) -> None:
    slow = (
        "trap 'sleep 0.3; echo bye; exit' TERM; echo up; while :; do sleep 0.05; done"
    )

    async def story(supervisor: Supervisor) -> None:
        supervisor.start(Process("redis", ("sh", "-c", slow), base=True))
        supervisor.start(Process("web", ("sh", "-c", slow)))
        await until(lambda: said.of("redis") and said.of("web"))

    supervised(tmp_path, said, story)
    assert said.lines.index(("web", "bye")) < said.lines.index(("redis", "bye"))


def test_a_killed_process_takes_its_children_with_it(
    tmp_path: Path, said: Said
) -> None:
    async def story(supervisor: Supervisor) -> None:
        supervisor.start(Process("watcher", ("sh", "-c", "sleep 600 & echo $!; wait")))
        await until(lambda: said.of("watcher"))
        child = int(said.of("watcher")[0])
        os.kill(supervisor.pids()["watcher"], signal.SIGKILL)
        await until(lambda: not runs(child))

    supervised(tmp_path, said, story, first_pause_s=5)


LEFT_BEHIND = """
import asyncio, sys
from pathlib import Path
from deploy.keeping import Process, Supervisor

async def run():
    keeper = Supervisor(Path(sys.argv[1]), lambda name, line: print(line, flush=True))
    keeper.start(Process("web", ("sh", "-c", sys.argv[2])))
    await asyncio.sleep(600)

asyncio.run(run())
"""


def start_apart(folder: Path, script: str) -> tuple[subprocess.Popen[str], int]:
    """A supervisor in a process of its own, and the number its child said."""
    apart = subprocess.Popen(
        [sys.executable, "-c", LEFT_BEHIND, str(folder / "run"), script],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert apart.stdout
    return apart, int(apart.stdout.readline())


def kill_apart(apart: subprocess.Popen[str]) -> None:
    apart.kill()
    apart.wait()
    assert apart.stdout
    apart.stdout.close()


def test_its_processes_end_when_it_is_killed_itself(tmp_path: Path) -> None:
    apart, child = start_apart(tmp_path, "echo $$; exec sleep 600")
    kill_apart(apart)
    asyncio.run(until(lambda: not runs(child)))


def test_the_next_one_ends_what_a_killed_one_left(tmp_path: Path, said: Said) -> None:
    deaf = "trap '' TERM; echo $$; while :; do sleep 1; done"
    apart, child = start_apart(tmp_path, deaf)
    kill_apart(apart)
    assert runs(child)

    async def story(supervisor: Supervisor) -> None:
        supervisor.end_left_behind()
        await until(lambda: not runs(child))

    supervised(tmp_path, said, story)
