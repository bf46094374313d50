"""A private PostgreSQL for tests: a cluster in a folder, on a Unix socket, no TCP port.

with Postgres(Path("/tmp/mine")) as database:
    os.environ["KVMWEB_DATABASE_URL"] = database.url
"""

import os
import pwd
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

OWNER = "postgres"  # the server refuses to run as root


class Postgres:
    """Made anew at start, removed at the end; nothing in it survives a crash."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.resolve()
        self.url = f"postgres://{OWNER}@{quote(str(self.directory), safe='')}/postgres"

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True)
        shutil.chown(self.directory, OWNER, OWNER)
        cluster = str(self.directory / "cluster")
        self._run("initdb", "-A", "trust", "-E", "UTF8", "--no-sync", "-D", cluster)
        settings = (
            f"-k {self.directory} -c listen_addresses= -c fsync=off "
            "-c full_page_writes=off -c max_connections=200"
        )
        log = str(self.directory / "log")
        self._run("pg_ctl", "start", "-w", "-D", cluster, "-l", log, "-o", settings)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        cluster = str(self.directory / "cluster")
        self._run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", cluster)
        shutil.rmtree(self.directory)

    def _run(self, program: str, *arguments: str) -> None:
        owner = pwd.getpwnam(OWNER)
        root = os.geteuid() == 0
        done = subprocess.run(
            [_found(program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            cwd=self.directory,
            user=owner.pw_uid if root else None,
            group=owner.pw_gid if root else None,
            extra_groups=[] if root else None,
            timeout=60,
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr.strip()}")


def _found(program: str) -> Path:
    """Debian keeps the server's programs out of PATH, by version."""
    newest = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"))
    if not newest:
        raise RuntimeError(f"PostgreSQL's {program} is missing: install 'postgresql'.")
    return newest[-1]
