"""A data folder as the first run leaves it: products of tests begin with a copy of one.

Migrating an empty database takes longer than anything else at a start. Made once for
this code, below the cache folder; it knows nobody but the admin of tests.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.places import ROOT

PASSWORD = "correct-horse-battery"  # noqa: S105  of products that live for minutes
OPENS = "admin.token"  # a file with an API token of the admin
_EMPTY = "empty.sqlite3"
_APPS = ("kvmweb", "hosts", "guests", "portal", "deploy")
_REMEMBER = "from deploy import database; database.migrated()"


def copy_to(folder: Path) -> None:
    """Put a copy there; nothing must be there yet."""
    with _made() as made:
        shutil.copytree(made, folder, ignore=shutil.ignore_patterns(_EMPTY))


def empty_database(path: Path) -> None:
    """Put a database there that has every table and no row of ours."""
    with _made() as made:
        shutil.copy(made / _EMPTY, path)


@contextmanager
def _made() -> Iterator[Path]:
    """The folder, which nobody replaces meanwhile."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kvmweb"
    base.mkdir(parents=True, exist_ok=True)
    path = base / f"first-run-{_sign()}"
    with (base / "first-run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            for old in base.glob("first-run-*/"):
                shutil.rmtree(old)
            with tempfile.TemporaryDirectory(dir=base, prefix="making-") as work:
                _make(Path(work, "made"))
                Path(work, "made").rename(path)
        yield path


def _make(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    place = {
        **{k: v for k, v in os.environ.items() if not k.startswith("KVMWEB_")},
        "KVMWEB_DATA_DIR": str(folder),
        "KVMWEB_LOCAL_HOST": "off",
        "KVMWEB_ADMIN_PASSWORD": PASSWORD,
    }

    def run(*words: str) -> str:
        command = [sys.executable, *words]
        return subprocess.run(
            command, cwd=ROOT, env=place, check=True, capture_output=True, text=True
        ).stdout

    run("manage.py", "migrate", "--no-input", "-v0")
    shutil.copy(folder / "kvmweb.sqlite3", folder / _EMPTY)
    run("-c", _REMEMBER)
    run("manage.py", "bootstrap")
    (folder / OPENS).write_text(run("manage.py", "create_token", "admin").strip())


def _sign() -> str:
    """What the code is now."""
    found = hashlib.sha256((ROOT / "requirements.txt").read_bytes())
    for app in _APPS:
        for path in sorted((ROOT / app).rglob("*.py")):
            found.update(str(path.relative_to(ROOT)).encode())
            found.update(path.read_bytes())
    return found.hexdigest()[:16]
