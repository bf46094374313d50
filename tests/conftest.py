"""What every test may ask for: people, their browsers and tokens, a private Redis."""

import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from django.conf import settings
from django.db import connection, connections
from django.db.backends.sqlite3.base import DatabaseOperations
from django.test import Client
from xdist.scheduler import LoadScopeScheduling

from deploy import first_run
from tests import ending
from tests.environment import FOLDER
from tests.waiting import until

# What shares a lab or a product is done by one process, one after the other; what takes
# longest begins first. Everything else goes file by file to whoever is free. Guests and
# hosts are mostly waited for: beside two that wait, one of them computes.
_TOGETHER = (
    "lab/migration/",  # waits
    "lab/",  # waits
    "test_on_postgresql.py",  # computes
    "browser/",  # computes
    "lab/faults/",  # waits
    "lab/whole/",  # waits
    "lab/creation/",
    "deploy/",
)
# Files that take minutes: begun last, they would be waited for alone.
_LONG = (
    "kvmweb/test_every_door.py",
    "kvmweb/operations/test_nothing_is_lost_or_run_twice.py",
    "kvmweb/test_api_schema.py",
    "kvmweb/operations/test_an_operation_runs.py",
)

_DATABASE = {"db", "transactional_db", "live_server"}

# A busy machine makes examples slowly; no test may fail for that.
hypothesis.settings.register_profile(
    "patient",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("patient")

PASSWORD = "a long enough word"
AUDIT = "accounts_auditentry"


class _ByGroup(LoadScopeScheduling):
    """Each group of tests goes whole to one process."""

    def _split_scope(self, nodeid: str) -> str:
        return _group(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _ByGroup:
    """Share the tests out by what they have in common."""
    return _ByGroup(config, log)


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Put the longest first; on PostgreSQL run only what can differ there."""
    items.sort(key=lambda item: _rank(_group(item.nodeid)))
    if connection.vendor == "postgresql":
        told = list(_telling(items))
        config.hook.pytest_deselected(items=list(set(items).difference(told)))
        items[:] = told


def _telling(items: list[pytest.Item]) -> Iterator[pytest.Item]:
    """What touches rows, each once: its other parameters asked SQLite already."""
    seen = set()
    for item in items:
        names = getattr(item, "fixturenames", ())
        rows = item.get_closest_marker("django_db") or not _DATABASE.isdisjoint(names)
        name = item.nodeid.partition("[")[0]
        walks = item.get_closest_marker("one_database")
        if rows and not walks and name not in seen:
            seen.add(name)
            yield item


def _group(nodeid: str) -> str:
    place = nodeid.partition("::")[0].removeprefix("tests/")
    return max((it for it in _TOGETHER if place.startswith(it)), key=len, default=place)


def _rank(group: str) -> int:
    first = (*_TOGETHER, *_LONG)
    return first.index(group) if group in first else len(first)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """A product that nobody asks any more takes nothing from those still to come."""
    if nextitem is not None and _group(nextitem.nodeid) != _group(item.nodeid):
        ending.end_of_group()


@pytest.fixture(scope="session", autouse=True)
def quick() -> None:
    """What takes long on purpose, or is looked up once a process, is quick here."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.WHITENOISE_AUTOREFRESH = True  # else each Client reads all static files


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """SQLite begins with a copy that has its tables already."""
    return connection.vendor == "sqlite"


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> None:
    """A file, so that several threads and processes see one SQLite database."""
    if connection.vendor == "sqlite":
        path = FOLDER / "test.sqlite3"
        first_run.empty_database(path)
        settings.DATABASES["default"].setdefault("TEST", {})["NAME"] = str(path)
        connections["default"].settings_dict.setdefault("TEST", {})["NAME"] = str(path)


@pytest.fixture(scope="session", autouse=True)
def _flush_goes_past_the_audit_guard() -> None:
    """SQLite empties tables with DELETE, which the audit record's trigger refuses."""
    plain = DatabaseOperations.execute_sql_flush

    def flush(self: Any, statements: list[str]) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute(
                "SELECT name, sql FROM sqlite_master WHERE type='trigger' AND tbl_name=%s",
                [AUDIT],
            )
            guards = cursor.fetchall()
            for name, _ in guards:
                cursor.execute(f"DROP TRIGGER {name}")
            plain(self, statements)
            for _, statement in guards:
                cursor.execute(statement)

    DatabaseOperations.execute_sql_flush = flush  # type: ignore[method-assign]


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    """A private Redis for all tests that need one; its URL, as the settings have it."""
    path = FOLDER / "redis.sock"
    words = f"redis-server --port 0 --unixsocket {path} --daemonize no --appendonly no"
    server = subprocess.Popen(
        [*words.split(), "--save", "", "--dir", str(FOLDER)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    until(lambda: _answers(path), 10, why="Redis does not answer.")
    yield f"unix://{path}"
    server.terminate()
    server.wait(10)


def _answers(unix_socket: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(unix_socket))
        except OSError:
            return False
        client.sendall(b"PING\r\n")
        return client.recv(7) == b"+PONG\r\n"


@pytest.fixture
def admin(db: None) -> Any:
    """Somebody who may do everything."""
    return _person("anna", "admin")


@pytest.fixture
def operator(db: None) -> Any:
    """Somebody who runs all guests."""
    return _person("olga", "operator")


@pytest.fixture
def user(db: None) -> Any:
    """Somebody with nothing but their own guests."""
    return _person("uwe", "user")


@pytest.fixture
def disabled(db: None) -> Any:
    """Somebody who was an admin once."""
    person = _person("dora", "admin")
    person.is_active = False
    person.save()
    return person


@pytest.fixture
def anonymous(db: None) -> Client:
    """A browser nobody signed in with."""
    return Client()


@pytest.fixture
def as_admin(admin: Any) -> Client:
    """The admin's browser."""
    return _browser(admin)


@pytest.fixture
def as_operator(operator: Any) -> Client:
    """The operator's browser."""
    return _browser(operator)


@pytest.fixture
def as_user(user: Any) -> Client:
    """The user's browser."""
    return _browser(user)


@pytest.fixture
def token_of(db: None) -> Callable[..., str]:
    """Makes tokens: `token_of(admin)`, `token_of(admin, scope="read")`; their text."""
    from kvmweb.accounts import bearer
    from kvmweb.accounts.models import Token

    def make(person: Any, *, scope: str = "write", **columns: Any) -> str:
        secret = bearer.new_secret()
        Token.objects.create(
            user=person,
            name="test",
            scope=scope,
            prefix=secret.prefix,
            digest=secret.digest,
            **columns,
        )
        return secret.text

    return make


@pytest.fixture
def admin_token(admin: Any, token_of: Callable[..., str]) -> str:
    """A token that may do everything."""
    return token_of(admin)


@pytest.fixture
def admin_read_token(admin: Any, token_of: Callable[..., str]) -> str:
    """A token that may see everything and change nothing."""
    return token_of(admin, scope="read")


@pytest.fixture
def user_token(user: Any, token_of: Callable[..., str]) -> str:
    """A user's token."""
    return token_of(user)


@pytest.fixture
def by_token() -> Callable[[str], Client]:
    """A program's client: `by_token(admin_token).get("/api/v1/me/")`."""
    return lambda text: Client(headers={"Authorization": f"Bearer {text}"})


def _person(username: str, role: str) -> Any:
    from kvmweb.accounts.models import User

    return User.objects.make(username, PASSWORD, role)


def _browser(person: Any) -> Client:
    client = Client()
    client.force_login(person)
    return client
