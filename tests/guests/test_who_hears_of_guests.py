"""Live topics of guests: everybody hears what the API would show them, and no more."""

from typing import Any
from uuid import uuid4

import pytest

from guests import facts
from guests.json import guest_json
from guests.models import Guest
from hosts.models import Host
from kvmweb.errors import NotFound
from kvmweb.live.topics import open_topic
from kvmweb.operations import queries as operations
from kvmweb.operations.models import Operation
from tests.guests.conftest import disk, domain


@pytest.fixture
def mine(kvm1: Host, user: Any) -> Guest:
    """A guest of the user."""
    facts.record_domain(kvm1, told := domain("mine", disks=(disk("/images/m"),)), "")
    Guest.objects.update(owner=user)
    return Guest.objects.get(pk=told.uuid)


@pytest.fixture
def foreign(mine: Guest, kvm1: Host) -> Guest:
    """A guest of nobody."""
    facts.record_domain(kvm1, told := domain("foreign"), "")
    return Guest.objects.get(pk=told.uuid)


def test_an_owner_hears_of_their_guests_without_hosts(
    user: Any, mine: Guest, foreign: Guest
) -> None:
    hear = open_topic(user, "guests")
    said = hear("state", guest_json(mine))
    assert said
    assert (said["name"], said["host"], said["host_name"]) == ("mine", None, "")
    assert "/images" not in str(said)
    assert hear("state", guest_json(foreign)) is None
    numbers = {"guests": {str(mine.pk): {"cpu_percent": 1}, str(foreign.pk): {}}}
    assert hear("stats", numbers) == {"guests": {str(mine.pk): {"cpu_percent": 1}}}
    gone = {"uuid": str(foreign.pk), "owner": None}
    assert hear("removed", gone) is None
    assert hear("removed", {"uuid": str(mine.pk), "owner": "uwe"})


def test_a_guest_given_away_is_not_heard_any_more(
    user: Any, mine: Guest, foreign: Guest
) -> None:
    hear = open_topic(user, "guests")
    Guest.objects.filter(pk=mine.pk).update(owner=None)
    Guest.objects.filter(pk=foreign.pk).update(owner=user)
    rows = Guest.objects.select_related("owner")
    assert hear("state", guest_json(rows.get(pk=mine.pk))) is None
    assert hear("state", guest_json(rows.get(pk=foreign.pk)))
    both = {"guests": {str(mine.pk): {}, str(foreign.pk): {}}}
    assert hear("stats", both) == {"guests": {str(foreign.pk): {}}}


def test_an_operator_hears_of_all(operator: Any, mine: Guest) -> None:
    data = guest_json(mine)
    assert open_topic(operator, "guests")("state", data) is data
    assert open_topic(operator, f"guest:{mine.pk}")("state", data) is data


@pytest.mark.parametrize("word", ["guest", "guest:", "guest:x", "guest:{}", "guests:1"])
def test_what_is_not_there_or_not_theirs_reads_the_same(
    user: Any, foreign: Guest, word: str
) -> None:
    for uuid in (foreign.pk, uuid4()):
        with pytest.raises(NotFound, match="no such topic, or it is not yours"):
            open_topic(user, word.format(uuid))


def test_an_owner_hears_of_operations_on_their_guest(
    user: Any, operator: Any, mine: Guest, foreign: Guest
) -> None:
    for guest in (mine, foreign):
        Operation.objects.create(
            kind="guest.start", guest=guest.pk, requested_by=operator
        )
    assert [it.guest for it in operations.visible(user)] == [mine.pk]
    hear = open_topic(user, f"guest:{mine.pk}")
    assert hear("stats", {"cpu_percent": 1}) == {"cpu_percent": 1}
    changed = guest_json(Guest.objects.select_related("owner").get(pk=mine.pk))
    assert hear("state", changed)
    assert hear("state", changed | {"owner": None}) is None
