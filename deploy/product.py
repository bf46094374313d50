"""The whole product in a folder and on a port of its own, for tests and measurements.

The folder goes with it.

with Product(Path("/tmp/mine")) as product:
    product.call("GET", "hosts/")
"""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from deploy import first_run
from deploy.places import ROOT

PASSWORD = first_run.PASSWORD
_START_S = 180
_STOP_S = 10


@dataclass(frozen=True, slots=True)
class Reply:
    """What the API said: the status, the parsed body and the headers in small letters."""

    status: int
    body: Any
    headers: dict[str, str]


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Product:
    """Started by the same supervisor as `make run`, without what `make` installs."""

    def __init__(
        self, directory: Path, *, port: int | None = None, **settings: str
    ) -> None:
        """`settings` are further environment: KVMWEB_DATABASE_URL="postgres://…"."""
        self.directory = directory.resolve()
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("KVMWEB_")},
            "KVMWEB_DATA_DIR": str(self.directory),
            "KVMWEB_PORT": str(self.port),
            "KVMWEB_LOCAL_HOST": "off",
            "KVMWEB_ADMIN_PASSWORD": PASSWORD,
            **settings,
        }
        self._is_usual = not {"KVMWEB_DATABASE_URL", "KVMWEB_ADMIN_PASSWORD"} & set(
            settings
        )
        self._supervisor: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start every process and wait until it says it is ready."""
        if self._is_usual and not self.directory.exists():
            self.directory.parent.mkdir(parents=True, exist_ok=True)
            first_run.copy_to(self.directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / "supervisor.log").open("ab") as log:
            self._supervisor = subprocess.Popen(
                [ROOT / ".venv/bin/python", "-m", "deploy.supervisor"],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self.wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def wait_until_ready(self) -> None:
        """Return when /readyz answers 200. Raises TimeoutError after a minute."""
        deadline = time.monotonic() + _START_S
        while self._status("/readyz") != 200:
            if self._supervisor is None or self._supervisor.poll() is not None:
                raise RuntimeError(f"The product ended: {self.log_tail()}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"The product is not ready: {self.log_tail()}")
            time.sleep(0.1)

    def stop(self) -> None:
        """End every process, as Ctrl-C does."""
        if self._supervisor is None:
            return
        self._supervisor.terminate()
        try:
            self._supervisor.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._supervisor.kill()
            self._supervisor.wait()
        self._supervisor = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def pid(self) -> int:
        """Of the supervisor. Raises RuntimeError when it was not started."""
        if self._supervisor is None:
            raise RuntimeError("The product is not running.")
        return self._supervisor.pid

    def pids(self, word: str = "") -> list[int]:
        """The supervisor's processes and theirs, those with `word` in their command."""
        return [pid for pid in self.pids_below([self.pid]) if word in _command(pid)]

    @staticmethod
    def pids_below(pids: list[int]) -> list[int]:
        """These processes and everything below them."""
        parents = _parents()
        found = list(pids)
        for pid in found:
            found += [c for c, p in parents.items() if p == pid and c not in found]
        return found

    def manage(self, *arguments: str) -> str:
        """What `manage.py` prints for these arguments."""
        done = subprocess.run(
            [ROOT / ".venv/bin/python", "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        if done.returncode:
            raise RuntimeError(f"manage.py {arguments[0]} failed: {done.stderr}")
        return done.stdout.strip()

    @cached_property
    def token(self) -> str:
        """An API token of the admin."""
        made = self.directory / first_run.OPENS
        return made.read_text() if made.exists() else self._new_token()

    def _new_token(self) -> str:
        return self.manage("create_token", "admin")

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        """Ask the API; `path` is below /api/v1/. Statuses of errors come back, too."""
        request = urllib.request.Request(  # noqa: S310  our own address
            f"{self.url}/api/v1/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {token or self.token}",
                "Content-Type": "application/json",
                **(headers or {}),
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  ours
                return _reply(answer.status, answer)
        except urllib.error.HTTPError as refusal:
            return _reply(refusal.code, refusal)

    def log_tail(self) -> str:
        """The last things its processes said."""
        path = self.directory / "supervisor.log"
        return path.read_text(errors="replace")[-3000:] if path.exists() else ""

    def _status(self, path: str) -> int:
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=5) as answer:  # noqa: S310  ours
                return int(answer.status)
        except urllib.error.HTTPError as refusal:
            return refusal.code
        except OSError:
            return 0


def _reply(status: int, answer: Any) -> Reply:
    text = answer.read()
    headers = {name.lower(): value for name, value in answer.headers.items()}
    is_json = "json" in headers.get("content-type", "")
    return Reply(status, json.loads(text) if is_json and text else text, headers)


def _parents() -> dict[int, int]:
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            found[int(path.parent.name)] = int(
                path.read_text().rsplit(")", 1)[1].split()[1]
            )
        except OSError:
            continue  # ended while we looked
    return found


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""
