"""What the product consists of: the processes that `make run` keeps alive."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from deploy.keeping import Process
from deploy.places import PYTHON, ROOT

WEB_WORKERS = 2
WORKER_THREADS = 16


class ManageError(Exception):
    """A command of manage.py failed; its last words."""


class SettingError(Exception):
    """A setting cannot be used; one sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the supervisor reads from the environment."""

    bind: str
    port: int
    own_redis: bool
    data_dir: Path

    @property
    def url(self) -> str:
        """Where a browser on this machine finds it."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.bind, self.bind)  # noqa: S104  told apart
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/"

    @property
    def redis_socket(self) -> Path:
        """Of the private Redis."""
        return self.data_dir / "redis.sock"


def settings(data_dir: Path) -> Settings:
    """The settings of CONTRACT's names. Raises SettingError."""
    words = os.environ.get("KVMWEB_PORT") or "8000"
    if not words.isdecimal() or not 0 < int(words) < 65536:
        raise SettingError(
            f"KVMWEB_PORT is {words!r}: it must be a number up to 65535."
        )
    own_redis = not os.environ.get("KVMWEB_REDIS_URL")
    found = Settings(
        os.environ.get("KVMWEB_BIND") or "127.0.0.1", int(words), own_redis, data_dir
    )
    if own_redis and len(str(found.redis_socket)) > 107:
        raise SettingError(
            f"KVMWEB_DATA_DIR {data_dir} is too long a path: "
            "sockets in it may have 107 letters at most."
        )
    return found


def redis(here: Settings) -> Process:
    """The private Redis: no port, and what is queued survives a kill."""
    program = shutil.which("redis-server", path="/usr/bin:/usr/local/bin:/usr/sbin")
    if program is None:
        raise SettingError("redis-server is not installed: run 'make run'.")
    folder = here.data_dir / "redis"
    folder.mkdir(mode=0o700, exist_ok=True)
    options = {
        "port": "0",
        "unixsocket": str(here.redis_socket),
        "unixsocketperm": "600",
        "dir": str(folder),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "loglevel": "warning",
    }
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    return Process("redis", (program, *words), base=True)


def web(here: Settings) -> Process:
    """Pages, API and sockets, on the one port."""
    options = {
        "host": here.bind,
        "port": here.port,
        "workers": WEB_WORKERS,
        "lifespan": "off",
        "log-level": "warning",
        "timeout-graceful-shutdown": 2,
        "timeout-worker-healthcheck": 30,
    }
    words = [
        str(word) for name, value in options.items() for word in (f"--{name}", value)
    ]
    quiet = ("--no-access-log", "--no-server-header")
    plain = ("--no-proxy-headers",)  # KVMWEB_TRUSTED_PROXY says who is believed
    return _python("web", "uvicorn", "kvmweb.asgi:application", *words, *quiet, *plain)


def others(here: Settings) -> list[Process]:
    """All that work behind the pages."""
    celery = ("celery", "--quiet", "-A", "kvmweb")
    quiet = ("--loglevel", "WARNING")
    alone = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    threads = ("--pool", "threads", "--concurrency", str(WORKER_THREADS))
    schedule = ("--schedule", str(here.data_dir / "beat-schedule"), "--pidfile", "")
    # libvirt's own socket asks for root on most machines; nothing is pickled.
    as_root = {"PYTHONWARNINGS": "ignore:You're running the worker with superuser"}
    return [
        Process("watcher", manage("watcher")),
        _python(
            "worker", *celery, "worker", *threads, *alone, *quiet, environment=as_root
        ),
        _python("beat", *celery, "beat", *schedule, *quiet),
        Process("console", manage("console")),
    ]


def manage(*arguments: str) -> tuple[str, ...]:
    """The command line of one of Django's commands."""
    return (str(PYTHON), "manage.py", *arguments)


def _python(
    name: str, module: str, *arguments: str, environment: dict[str, str] | None = None
) -> Process:
    return Process(name, (str(PYTHON), "-m", module, *arguments), environment or {})


def managed(*arguments: str) -> str:
    """What a command of manage.py prints. Raises ManageError with its last words."""
    done = subprocess.run(
        manage(*arguments),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if done.returncode:
        raise ManageError((done.stderr.strip().splitlines() or ["it said nothing"])[-1])
    return done.stdout.strip()
