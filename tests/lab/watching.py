"""Watchers on hosts of the lab, with rows of their own and nothing else of the product.

There is not even a Redis: what a host says reaches the rows without it.
"""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from django.utils import timezone

from deploy import first_run
from deploy.lab_host import LabHost
from deploy.places import ROOT


class Watching:
    """A data folder with a migrated database, and the watchers started in it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="kvmweb-watching-"))
        plain = {k: v for k, v in os.environ.items() if not k.startswith("KVMWEB_")}
        self._environment = plain | {
            "KVMWEB_DATA_DIR": str(self.folder),
            "KVMWEB_REDIS_URL": f"unix://{self.folder}/nobody.sock",
            "KVMWEB_LOCAL_HOST": "off",
        }
        self.watchers: list[subprocess.Popen[bytes]] = []
        self._since = ""  # when the first of these was started

    def __enter__(self) -> Self:
        self.folder.rmdir()
        first_run.copy_to(self.folder)
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def end(self) -> None:
        """Kill every watcher; the next one finds no lease in its way."""
        for watcher in self.watchers:
            watcher.kill()
            watcher.wait(10)
        self.watchers.clear()
        if (self.folder / "kvmweb.sqlite3").exists():
            self._write("UPDATE hosts_host SET watcher = '', watched_until = NULL")
            self._write("DELETE FROM hosts_watcher")

    def manage(self, *words: str) -> None:
        """Run a command to its end."""
        subprocess.run(self._command(*words), check=True, **self._place())

    def add(self, host: LabHost, name: str = "") -> None:
        """Add a host of the lab by its socket."""
        way = ("--transport", "unix", "--socket-path", str(host.socket_path))
        self.manage("add_host", name or host.name, *way)

    def start(self) -> subprocess.Popen[bytes]:
        """One more watcher."""
        log = (self.folder / "watchers.log").open("ab")
        with log:
            watcher = subprocess.Popen(
                self._command("watcher"), stdout=log, stderr=log, **self._place()
            )
        if not self.watchers:
            self._since = timezone.now().strftime("%F %T")
        self.watchers.append(watcher)
        return watcher

    def kill(self, watcher: subprocess.Popen[bytes], number: int) -> None:
        """Send it a signal, and wait for its end."""
        watcher.send_signal(number)
        watcher.wait(10)

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """What the database says now."""
        path = f"file:{self.folder}/kvmweb.sqlite3?mode=ro"
        with closing(sqlite3.connect(path, uri=True, timeout=5)) as database:
            return list(database.execute(statement, values))

    def host(self, name: str, column: str = "state") -> Any:
        """A column of a host; None without the host."""
        found = self.rows(f"SELECT {column} FROM hosts_host WHERE name = ?", name)
        return found[0][0] if found else None

    def watched(self, name: str) -> str:
        """The state of a host as a watcher of now says it; "" before that."""
        pids = [f":{watcher.pid}:" for watcher in self.watchers]
        holder = self.host(name, "watcher") or ""
        fresh = self.host(name, "seen_at") or ""
        if not any(pid in holder for pid in pids) or fresh < self._since:
            return ""
        return str(self.host(name))

    def states(self) -> list[tuple[Any, ...]]:
        """All hosts, for whom it may concern."""
        return self.rows("SELECT name, state, error FROM hosts_host")

    def guest(self, uuid: UUID, column: str = "state") -> Any:
        """A column of a guest; None while it is not known."""
        found = self.rows(
            f"SELECT {column} FROM guests_guest WHERE uuid = ?",
            uuid.hex,
        )
        return found[0][0] if found else None

    def holders(self) -> dict[str, str]:
        """Which watcher has the lease of which host; "" nobody."""
        return dict(self.rows("SELECT name, watcher FROM hosts_host"))

    def log(self) -> str:
        """What the watchers said."""
        path = self.folder / "watchers.log"
        return path.read_text() if path.exists() else ""

    def _write(self, statement: str) -> None:
        path = self.folder / "kvmweb.sqlite3"
        with closing(sqlite3.connect(path, timeout=20)) as database, database:
            database.execute(statement)

    def _command(self, *words: str) -> list[str]:
        return [sys.executable, "manage.py", *words]

    def _place(self) -> dict[str, Any]:
        return {"cwd": ROOT, "env": self._environment, "stdin": subprocess.DEVNULL}


STOP, GO_ON, KILL, TERMINATE = (
    signal.SIGSTOP,
    signal.SIGCONT,
    signal.SIGKILL,
    signal.SIGTERM,
)
