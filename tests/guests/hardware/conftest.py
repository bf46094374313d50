"""Guests on libvirt's test driver, changed through the doors and done as by a worker."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from guests import facts
from guests.models import Guest
from hosts.models import Host
from hosts.recorders import tell
from hosts.services import address_of
from kvmweb.operations import tasks
from kvmweb.operations.models import Operation
from kvmweb.virt import changes, connection, reading
from kvmweb.virt.changes import Documents

HOST_XML = Path(__file__).parent / "host.xml"
WEB = UUID("11111111-1111-4111-8111-111111111111")  # runs
OFF = UUID("22222222-2222-4222-8222-222222222222")


class Bench:
    """A host of the test driver, its rows, and what a watcher would do."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def look(self) -> None:
        """Hear of everything, as after an event."""
        # Without addresses: the test driver dies of being asked for those.
        seen = self.run(reading.full_look)
        tell("pools", self.host, seen.pools)
        tell("networks", self.host, seen.networks)
        facts.record_look(self.host, seen.domains)

    def documents(self, uuid: UUID) -> Documents:
        """What runs and what is defined there."""
        with connection.connect(address_of(self.host)) as there:
            return there.run(changes.documents, uuid)

    def run(self, verb: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Do something there, as others would."""
        with connection.connect(address_of(self.host)) as there:
            return there.run(verb, *args, **kwargs)

    def perform(self, answer: Any) -> Operation:
        """The operation that was accepted, once a worker has done it."""
        assert answer.status_code == 202, answer.content
        operation = Operation.objects.get(pk=answer.json()["id"])
        tasks.run(str(operation.pk))
        operation.refresh_from_db()
        self.look()
        return operation

    def done(self, answer: Any) -> Operation:
        """The same, ended well."""
        operation = self.perform(answer)
        assert operation.state == "succeeded", operation.error_message
        return operation


@pytest.fixture(scope="module", autouse=True)
def _no_warm_children() -> Iterator[None]:
    """What stayed warm for these tests is gone after them."""
    yield
    connection.close_all()


@pytest.fixture
def bench(redis_server: str, db: None, tmp_path: Path) -> Bench:
    """The host with its guests `web` (runs) and `off`."""
    place = tmp_path / "host.xml"  # a place of its own, so a machine of its own
    shutil.copy(HOST_XML, place)
    host = Host.objects.create(
        name="kvm1",
        transport="test",
        socket_path=str(place),
        state=Host.State.UP,
        virt_types=["test"],
    )
    made = Bench(host)
    made.look()
    return made


@pytest.fixture
def web(bench: Bench) -> Guest:
    """The one that runs."""
    return Guest.objects.get(pk=WEB)


@pytest.fixture
def off(bench: Bench) -> Guest:
    """The one that is off."""
    return Guest.objects.get(pk=OFF)


@pytest.fixture
def ask(admin_token: str) -> Callable[..., Any]:
    """Asks the API of a guest as an admin: `ask("PATCH", guest, "", {…})`."""
    client = Client(headers={"Authorization": f"Bearer {admin_token}"})

    def send(method: str, guest: Guest, path: str = "", body: Any = None) -> Any:
        call = getattr(client, method.lower())
        kind = {} if body is None else {"content_type": "application/json"}
        data = {} if body is None else {"data": body}
        return call(f"/api/v1/guests/{guest.pk}/{path}", **data, **kind)

    return send
