"""Every topic that is declared, for every role; what is not theirs reads as not there."""

from typing import Any
from uuid import uuid4

import pytest

from guests.models import Guest
from hosts.models import Host
from kvmweb.accounts.models import Project
from kvmweb.errors import NotFound
from kvmweb.live import topics
from portal.requests.models import Request

OF_EVERYBODY = {"guests", "operations", "requests", "notices"}
FLEET = OF_EVERYBODY | {"guest", "hosts", "host", "project", "request"}


@pytest.fixture
def named(db: None) -> dict[str, str]:
    """A name for each declared kind: something that is there and nobody's."""
    host = Host.objects.create(name="kvm", transport="tcp", address="192.0.2.1")
    guest = Guest.objects.create(uuid=uuid4(), name="web", state="running", host=host)
    project = Project.objects.create(name="p")
    request = Request.objects.create(project=project, name="app", author="nobody")
    things = {"guest": guest, "host": host, "project": project, "request": request}
    idents = {kind: str(thing.pk) for kind, thing in things.items()}
    return {
        kind: f"{kind}:{idents[kind]}" if kind in idents else kind
        for kind in topics.kinds()
    }


def _heard(person: Any, named: dict[str, str]) -> set[str]:
    heard = set()
    for kind, name in named.items():
        try:
            topics.open_topic(person, name)
        except NotFound:
            continue
        heard.add(kind)
    return heard


def test_every_declared_topic_is_in_this_test(named: dict[str, str]) -> None:
    assert set(named) == FLEET


def test_those_who_run_the_fleet_hear_everything(
    admin: Any, operator: Any, named: dict[str, str]
) -> None:
    assert _heard(admin, named) == _heard(operator, named) == FLEET


def test_a_user_hears_of_no_host_and_of_no_foreign_guest(
    user: Any, named: dict[str, str]
) -> None:
    assert _heard(user, named) == OF_EVERYBODY


def test_a_disabled_person_hears_nothing(disabled: Any, named: dict[str, str]) -> None:
    assert _heard(disabled, named) <= {"operations", "notices"}
    hear = topics.open_topic(disabled, "operations")
    assert hear("operation", {"requested_by": "somebody", "guest": None}) is None


def test_a_user_hears_their_own_guest_without_its_host(
    user: Any, named: dict[str, str]
) -> None:
    Guest.objects.update(owner=user)
    uuid = named["guest"].partition(":")[2]
    assert "guest" in _heard(user, named)
    hear = topics.open_topic(user, "guests")
    numbers = {"guests": {uuid: {"cpu_percent": 1}, str(uuid4()): {"cpu_percent": 2}}}
    assert hear("stats", numbers) == {"guests": {uuid: {"cpu_percent": 1}}}


INVENTED = """
: guest: guest:x guest:3d6b1c58-7a1e-4be2-8d6c-000000000000 host:0 host:-1 nothing
host:99999999999999999999 guests:1 hosts:all operations:mine
"""


@pytest.mark.parametrize("name", ["", *INVENTED.split()])
def test_what_is_invented_is_not_there(admin: Any, name: str) -> None:
    with pytest.raises(NotFound):
        topics.open_topic(admin, name)
