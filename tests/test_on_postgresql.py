"""What touches rows is tested on SQLite by every run, and here on PostgreSQL as well."""

import os
import subprocess
import sys
from pathlib import Path

from deploy.places import ROOT
from deploy.postgres import Postgres

ROOMS = ["tests/kvmweb", "tests/hosts", "tests/guests", "tests/portal"]
_LIMIT_S = 1500


def _environment() -> dict[str, str]:
    """Ours, without what says that this process is one of several."""
    return {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}


def test_the_same_tests_pass_on_postgresql() -> None:
    with Postgres(Path("/tmp", f"kvmweb-pg-{os.getpid()}")) as database:
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "-x",
                "-p",
                "no:cacheprovider",
                *ROOMS,
            ],
            cwd=ROOT,
            env=_environment() | {"KVMWEB_DATABASE_URL": database.url},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_LIMIT_S,
        )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
