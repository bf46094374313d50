"""A small plant: a private Redis, a database, workers, and somebody who asks."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from deploy.places import ROOT
from tests.waiting import until

FINAL = {"succeeded", "failed", "cancelled"}


class Refused(Exception):
    """What the asker was told instead of an operation."""

    def __init__(self, said: dict[str, Any]) -> None:
        super().__init__(said["detail"])
        self.code = said["error"]
        self.operation = said["operation"]


@dataclass
class Plant:
    """Everything that runs operations, in one directory; nothing is shared with others."""

    directory: Path
    database_url: str = ""
    lease_s: float = 3
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _redis: subprocess.Popen[bytes] | None = None
    _asker: subprocess.Popen[str] | None = None

    @property
    def environment(self) -> dict[str, str]:
        ours = {k: v for k, v in os.environ.items() if not k.startswith("KVMWEB_")}
        return ours | {
            "KVMWEB_DATA_DIR": str(self.directory),
            "KVMWEB_DATABASE_URL": self.database_url,
            "KVMWEB_TEST_LEASE_S": str(self.lease_s),
            "DJANGO_SETTINGS_MODULE": "kvmweb.settings",
            "PYTHONPATH": str(ROOT),
        }

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.start_redis()
        with (self.directory / "asker.log").open("w") as log:
            self._asker = subprocess.Popen(
                [sys.executable, "-m", "tests.kvmweb.operations.asker"],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._asker
        self._asker.communicate()
        for process in [*self.workers, self._redis, self._asker]:
            if process:
                process.kill()
                process.wait()

    def start_redis(self) -> None:
        socket = self.directory / "redis.sock"
        self._redis = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", socket, "--save", ""],
            cwd=self.directory,
            stdout=subprocess.DEVNULL,
        )
        until(socket.exists, 10)

    def kill_redis(self) -> None:
        assert self._redis
        self._redis.kill()
        self._redis.wait()
        (self.directory / "redis.sock").unlink()

    def hang_redis(self) -> None:
        assert self._redis
        self._redis.send_signal(signal.SIGSTOP)

    def wake_redis(self) -> None:
        assert self._redis
        self._redis.send_signal(signal.SIGCONT)

    def flush_redis(self) -> None:
        socket = str(self.directory / "redis.sock")
        subprocess.run(["redis-cli", "-s", socket, "flushall"], check=True)

    def start_worker(self) -> subprocess.Popen[bytes]:
        words = "-m celery -A kvmweb worker --pool threads -c 16 -l INFO"
        plain = "--without-gossip --without-mingle --without-heartbeat"
        process = self._python(
            *words.split(), *plain.split(), "-I", "tests.kvmweb.operations.kinds"
        )
        self.workers.append(process)
        return process

    def ask(self, what: str, **arguments: Any) -> Any:
        """Have the asker do it. Raises Refused."""
        said = json.loads(self._told(json.dumps([what, arguments])))
        if "error" in said:
            raise Refused(said)
        return said["ok"]

    def submit(self, kind: str, **about: Any) -> str:
        """Ask for an operation that marks a file of its own; its id."""
        return str(self.ask("submit", kind=kind, **about)["id"])

    def show(self, pk: str) -> dict[str, Any]:
        return dict(self.ask("show", pk=pk))

    def state(self, pk: str) -> str:
        return str(self.show(pk)["state"])

    def ended(self, pk: str, seconds: float = 20) -> dict[str, Any]:
        """The operation when it has ended."""
        until(lambda: self.state(pk) in FINAL, seconds, why=str(self.show(pk)))
        return self.show(pk)

    def running(self, pk: str, seconds: float = 20) -> None:
        until(lambda: self.state(pk) == "running", seconds, pause=0.02)

    def marks(self, name: str) -> list[str]:
        path = self.directory / name
        return path.read_text().split() if path.exists() else []

    def file(self, name: str, **params: Any) -> dict[str, Any]:
        """Parameters of a work that marks this file."""
        return {"file": str(self.directory / name), **params}

    def log(self) -> str:
        """Everything the workers wrote."""
        return "".join(p.read_text() for p in self.directory.glob("python-*.log"))

    def _told(self, line: str) -> str:
        assert self._asker
        told, answered = self._asker.stdin, self._asker.stdout
        assert told
        assert answered
        told.write(f"{line}\n")
        told.flush()
        return answered.readline()

    def _python(self, *arguments: str) -> subprocess.Popen[bytes]:
        number = len(list(self.directory.glob("python-*.log")))
        with (self.directory / f"python-{number}.log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
