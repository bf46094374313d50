"""Kinds of work that exist for tests only; each leaves marks in a file of its own.

A worker takes them by `-I`; there the pace of leases is quickened, so that tests need
not wait for half a minute (KVMWEB_TEST_LEASE_S; 0: the true pace).
"""

import os
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from kvmweb.errors import Forbidden, HostError
from kvmweb.operations import leases, queue, worker
from kvmweb.operations.models import Operation
from kvmweb.operations.registry import Recovery, work
from kvmweb.operations.run import Run

STEP_S = 0.05

if lease_s := float(os.environ.get("KVMWEB_TEST_LEASE_S", "0")):
    queue.LEASE = timedelta(seconds=lease_s)
    leases.BEAT_S = lease_s / 4
    worker.LOOK_S = 0.5
    worker.SWEEP_S = 1.0


def mark(run: Run, word: str) -> None:
    """Leave a mark that outlives this process."""
    with Path(run.params["file"]).open("a") as file:
        file.write(f"{word}\n")


def steps(run: Run) -> dict[str, Any]:
    """Many small steps, each of which asks whether to go on."""
    mark(run, "begun")
    count = int(run.params.get("steps", 1))
    for step in range(count):
        run.progress(step / count, "stepping")
        run.check_cancelled()
        time.sleep(STEP_S)
    mark(run, "ended")
    run.say(f"{count} steps were made.")
    return {"steps": count}


def look(run: Run) -> Recovery:
    """What a host would say: done, not begun, or half way and to be done again."""
    mark(run, "recovered")
    marks = Path(run.params["file"]).read_text().split()
    return Recovery.DONE if "ended" in marks else Recovery.AGAIN


def fail(run: Run) -> None:
    """What a host may refuse."""
    raise HostError("The host says no.", hint="Ask it nicely.")


def break_down(run: Run) -> None:
    """A mistake of ours, with something in it that nobody may read."""
    raise RuntimeError("secret-in-a-trace")


def not_any_more(operation: Operation) -> None:
    """A right that was taken away meanwhile."""
    raise Forbidden("You may not do this any more.")


def end_late(run: Run) -> None:
    """Does all, and dies just before it could say so."""
    mark(run, "begun")
    mark(run, "ended")
    if run.params.get("die", True):
        os.kill(os.getpid(), 9)


work("test.steps", recover=look, cancellable=True)(steps)
work("test.stubborn", recover=look)(steps)
work("test.blind")(steps)
work("test.fail")(fail)
work("test.break")(break_down)
work("test.taken-away", allowed=not_any_more)(steps)
work("test.late", recover=look)(end_late)
