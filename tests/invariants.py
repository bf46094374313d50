"""What must hold after every fault, whatever was killed or hung."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

from deploy.lab import Lab
from deploy.product import Product
from tests import scene
from tests.waiting import until

_STATES = {
    "running": "running",
    "paused": "paused",
    "shut off": "shutoff",
    "crashed": "crashed",
    "in shutdown": "shutting-down",
    "pmsuspended": "suspended",
}
_SPARE_DESCRIPTORS = 60  # warm children and sockets come and go
_SPARE_THREADS = 20


class Invariants:
    """Remembers how things were at first, and checks how they are in the end."""

    def __init__(self, product: Product, lab: Lab) -> None:
        self._product = product
        self._lab = lab
        self._descriptors, self._threads = self._sizes()

    def check(self, seconds: float = 60) -> None:
        """Raise AssertionError unless all hold; what needs time gets so many seconds."""
        until(
            lambda: not scene.active(self._product),
            seconds,
            why="An operation never ended.",
        )
        self.each_runs_at_most_once()
        self.one_audit_row_for_each_outcome()
        until(
            lambda: not self.differences(),
            seconds,
            why=f"The rows do not say what virsh says: {self.differences()}",
        )
        until(
            lambda: not self._grown(), seconds, why=f"Something leaks: {self._grown()}"
        )

    def each_runs_at_most_once(self) -> None:
        """Over all hosts."""
        running = Counter(
            uuid
            for host in self._lab.hosts
            for uuid in host.virsh("list", "--uuid").split()
        )
        assert all(count == 1 for count in running.values()), running

    def one_audit_row_for_each_outcome(self) -> None:
        """One "accepted" and one outcome for each operation that ended."""
        rows = self._rows(
            "select target, action, outcome, details from accounts_auditentry"
        )
        ended = self._rows(
            "select id, kind, state from operations_operation "
            "where state in ('succeeded', 'failed', 'cancelled')"
        )
        for pk, kind, state in ended:
            mine = [r for r in rows if str(UUID(pk)) in r[3] or pk in r[3]]
            outcomes = sorted(outcome for _, _, outcome, _ in mine)
            assert outcomes == sorted(["accepted", state]), (kind, pk, outcomes)

    def differences(self) -> dict[str, tuple[str, str]]:
        """Guests whose shown state is not virsh's: name → (shown, virsh)."""
        shown = {
            guest["uuid"]: guest["state"]
            for guest in self._product.call("GET", "guests/?limit=500").body["items"]
        }
        true = dict(self._true_states())
        return {
            uuid: (shown.get(uuid, "missing"), state)
            for uuid, state in true.items()
            if not _same(shown.get(uuid), state)
        }

    def _true_states(self) -> Iterator[tuple[str, str]]:
        for host in self._lab.hosts:
            for uuid in host.virsh("list", "--all", "--uuid").split():
                yield uuid, _STATES[host.virsh("domstate", uuid)]

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        path = self._product.directory / "kvmweb.sqlite3"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            return database.execute(query).fetchall()

    def _grown(self) -> str:
        descriptors, threads = self._sizes()
        if descriptors > self._descriptors + _SPARE_DESCRIPTORS:
            return f"{self._descriptors} descriptors became {descriptors}"
        if threads > self._threads + _SPARE_THREADS:
            return f"{self._threads} threads became {threads}"
        return ""

    def _sizes(self) -> tuple[int, int]:
        pids = self._product.pids()
        descriptors = threads = 0
        for pid in pids:
            place = Path("/proc", str(pid))
            try:
                descriptors += len(list((place / "fd").iterdir()))
                threads += len(list((place / "task").iterdir()))
            except OSError:
                continue  # ended while we looked
        return descriptors, threads


def _same(shown: str | None, true: str) -> bool:
    """A killed QEMU is shown as crashed, while virsh only says shut off."""
    return shown == true or (shown == "crashed" and true == "shutoff")
