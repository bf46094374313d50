"""A plant for tests with true workers, and kinds of work for those without."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from deploy import first_run
from deploy.places import ROOT
from tests.kvmweb.operations.plant import Plant

URL = os.environ.get("KVMWEB_DATABASE_URL", "")


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An empty database to copy: the name of one of PostgreSQL's, or a file's."""
    if not URL:
        path = tmp_path_factory.mktemp("empty") / "empty.sqlite3"
        first_run.empty_database(path)
        yield str(path)
        return
    with _made(f"CREATE DATABASE empty_{os.getpid()}") as (name, url):
        _migrate(KVMWEB_DATABASE_URL=url)
        yield name


@pytest.fixture
def plant(tmp_path: Path, empty: str) -> Iterator[Plant]:
    """A plant with no worker yet, whose leases are short."""
    with _copy(empty, tmp_path) as url, Plant(tmp_path, database_url=url) as plant:
        yield plant


@pytest.fixture
def slow_plant(tmp_path: Path, empty: str) -> Iterator[Plant]:
    """The same with leases as long as they truly are."""
    with (
        _copy(empty, tmp_path) as url,
        Plant(tmp_path, database_url=url, lease_s=0) as plant,
    ):
        yield plant


@contextmanager
def _copy(empty: str, folder: Path) -> Iterator[str]:
    """A database of its own in or for this folder; its URL, "" for SQLite."""
    if not URL:
        shutil.copy(empty, folder / "kvmweb.sqlite3")
        yield ""
        return
    made = f"CREATE DATABASE plant_{uuid4().hex[:8]} TEMPLATE {empty}"
    with _made(made) as (_, url):
        yield url


@contextmanager
def _made(statement: str) -> Iterator[tuple[str, str]]:
    name = statement.split()[2]
    with psycopg.connect(URL, autocommit=True) as server:
        server.execute(statement.encode())
        try:
            yield name, f"{URL.rpartition('/')[0]}/{name}"
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def _migrate(**environment: str) -> None:
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "-v0"],
        cwd=ROOT,
        env=os.environ | environment,
        check=True,
    )
