"""What a daemon left behind and killed is gone, whatever the machine's first process does."""

import signal
import subprocess
import sys
from pathlib import Path

from deploy.places import ROOT
from tests.waiting import until

_DAEMON = """
import os, signal, sys, time
middle = os.fork()
if middle == 0:
    orphan = os.fork()
    if orphan == 0:
        time.sleep(60)
    open(sys.argv[1], "w").write(str(orphan))
    os._exit(0)
os.waitpid(middle, 0)
orphan = int(open(sys.argv[1]).read())
os.kill(orphan, signal.SIGKILL)
for _ in range(500):
    try:
        os.kill(orphan, 0)
    except ProcessLookupError:
        sys.exit(7)
    time.sleep(0.01)
"""


def _adopting(*command: object) -> "subprocess.Popen[bytes]":
    line = [sys.executable, "-m", "deploy.adopting", *map(str, command)]
    return subprocess.Popen(line, cwd=ROOT, stdin=subprocess.DEVNULL)


def test_a_killed_orphan_is_no_zombie(tmp_path: Path) -> None:
    # In a namespace whose first process never asks for the dead.
    script = tmp_path / "daemon.py"
    script.write_text(_DAEMON)
    ours = (
        f"{sys.executable} -m deploy.adopting {sys.executable} {script} {tmp_path}/pid"
    )
    first = f"{ours}; echo $? > {tmp_path}/status; exec sleep 60"
    namespace = subprocess.Popen(
        [
            "unshare",
            "-p",
            "-f",
            "--kill-child",
            "sh",
            "-c",
            f"({first}) & exec sleep 60",
        ],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
    )
    status = tmp_path / "status"
    try:
        until(lambda: status.exists() and status.read_text().strip(), 20)
    finally:
        namespace.kill()
        namespace.wait()
    assert status.read_text().strip() == "7"


def test_it_passes_the_wish_to_end_on_and_says_how_it_ended() -> None:
    child = _adopting("sleep", "600")
    until(lambda: _listens(child.pid), 30)
    child.terminate()
    assert child.wait(10) == 128 + 15


def _listens(pid: int) -> bool:
    """Whether it passes SIGHUP on: the last signal that it takes (proc(5), SigCgt)."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = int(status.partition("SigCgt:")[2].split()[0], 16)
    return bool(caught >> (signal.SIGHUP - 1) & 1)


def test_it_says_the_daemons_own_status() -> None:
    assert _adopting("sh", "-c", "exit 3").wait(10) == 3
