"""A plant for tests with true workers, and kinds of work for those without."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from tests.kvmweb.operations.plant import Plant


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    """A plant with no worker yet, whose leases are short."""
    with _database() as url, Plant(tmp_path, database_url=url) as plant:
        yield plant


@pytest.fixture
def slow_plant(tmp_path: Path) -> Iterator[Plant]:
    """The same with leases as long as they truly are."""
    with _database() as url, Plant(tmp_path, database_url=url, lease_s=0) as plant:
        yield plant


@contextmanager
def _database() -> Iterator[str]:
    """A database of its own beside the named one; "" (SQLite) needs none."""
    url = os.environ.get("KVMWEB_DATABASE_URL", "")
    if not url.startswith("postgres"):
        yield url
        return
    import psycopg

    name = f"plant_{uuid4().hex[:8]}"
    place, _, _ = url.rpartition("/")
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        yield f"{place}/{name}"
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")
