"""Somebody of another project tries every address, method and topic: 404, and no word.

Doors are found by their routes, so a new one is in this test by itself; one with a new
kind of id says so in IDS.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from guests.models import Guest, Happening
from guests.snapshots.models import Snapshot
from hosts.models import Host
from kvmweb.accounts.gate import may, roles_of
from kvmweb.accounts.models import AuditEntry, Member, Project, User
from kvmweb.accounts.routes import ANY, every_door
from kvmweb.errors import NotFound
from kvmweb.live.topics import kinds, open_topic
from kvmweb.operations.models import LogLine, Operation
from portal.leases.models import Lease
from portal.ledger.models import Charge, Quota
from portal.requests.models import Request
from tests.portal.machines.conftest import disk, guest_of

SECRET = "hush"  # in every name that somebody else may not read
IDS = {  # how a route calls what is theirs, and where it stands in `secrets`
    "uuid": "guest",
    "pk": "guest",
    "operation_id": "operation",
    "project_id": "project",
    "request_id": "request",
    "lease_id": "lease",
}
_OF_GUESTS = ("/guests/<uuid:pk>", "/machines/<uuid:pk>")


@dataclass(frozen=True)
class Call:
    """One method on one address with somebody else's ids in it."""

    method: str
    route: str

    def address(self, ids: dict[str, Any]) -> str:
        """With these ids; what a thing of theirs has inside stays the same."""

        def value(match: re.Match[str]) -> str:
            inside = {"name": f"{SECRET}-snapshot", "action": "start", "number": "1"}
            return str(
                ids.get(IDS.get(match["name"], ""), inside.get(match["name"], "x"))
            )

        return re.sub(r"<(?:\w+:)?(?P<name>\w+)>", value, self.route)


@pytest.fixture
def secrets(host: Host, shop: Project, user: User, carla: User) -> dict[str, Any]:
    """What uwe and carla have, each of it with the secret word in its name."""
    Project.objects.filter(pk=shop.pk).update(name=f"{SECRET}-project")
    shop.refresh_from_db()
    Quota.objects.create(project=shop, guests=7654321)
    guest = guest_of(
        host,
        f"{SECRET}-guest",
        project=shop,
        owner=user,
        description=f"{SECRET} words",
        addresses=" 10.77.0.1 ",
        disks=[disk(f"/{SECRET}/{SECRET}.qcow2")],
        tags=[f"{SECRET}-tag"],
        tag_words=f" {SECRET}-tag ",
    )
    Snapshot.objects.create(guest=guest, name=f"{SECRET}-snapshot", kind="internal")
    Happening.objects.create(guest=guest, what="found", detail=f"on {host.name}")
    operation = Operation.objects.create(
        kind="guest.start",
        state="failed",
        guest=guest.pk,
        guest_name=guest.name,
        host=host.pk,
        host_name=host.name,
        requested_by=user,
        author=user.username,
        error_code="host_error",
        error_message=f"{host.name} said {SECRET}.",
        finished_at=timezone.now(),
    )
    LogLine.objects.create(operation=operation, message=f"{host.name}: {SECRET}")
    Charge.objects.create(
        project=shop, subject=f"guest:{guest.pk}", label=guest.name, state="used"
    )
    lease = Lease.objects.create(
        guest=guest.pk,
        guest_name=guest.name,
        project=shop,
        ends_at=timezone.now() + timedelta(days=3),
    )
    request = Request.objects.create(
        project=shop,
        requester=user,
        author=user.username,
        name=f"{SECRET}-wish",
        reason=f"{SECRET} reason",
        lease_days=3,
    )
    return {
        "guest": guest.pk,
        "operation": operation.pk,
        "project": shop.pk,
        "request": request.pk,
        "lease": lease.pk,
    }


@pytest.fixture
def stranger(secrets: dict[str, Any]) -> User:
    """Somebody who owns another project, and so has every right that one gives."""
    person = User.objects.make("stranger", None)
    project = Project.objects.create(name="elsewhere")
    Member.objects.create(project=project, user=person, role=Member.Role.OWNER)
    return person


@pytest.fixture
def browser(stranger: User) -> Client:
    """Theirs."""
    client = Client()
    client.force_login(stranger)
    return client


def _calls() -> Iterator[Call]:
    """Every door, once with each method."""
    seen: set[tuple[str, str]] = set()
    for each in every_door():
        for method in ("GET", "POST") if each.method == ANY else (each.method,):
            if (method, each.route) not in seen:
                seen.add((method, each.route))
                yield Call(method, each.route)


def _names(route: str) -> set[str]:
    return set(re.findall(r"<(?:\w+:)?(\w+)>", route))


def _theirs(route: str) -> bool:
    """Whether it is about a guest, an operation, a project, a request or a lease."""
    names = _names(route)
    if "pk" in names:
        return route.startswith((*_OF_GUESTS, "/operations/<uuid:pk>"))
    return bool(names & set(IDS))


def _asked(signed_in: Client, call: Call, ids: dict[str, Any]) -> tuple[int, str, int]:
    """Status, text with the ids taken out, and how many queries it cost."""
    address = call.address(ids)
    if address.startswith("/operations/"):
        address = address.replace(str(ids["guest"]), str(ids["operation"]))
    client = Client()  # another browser each time: one of the doors signs out
    client.cookies.load({name: it.value for name, it in signed_in.cookies.items()})
    is_api = address.startswith("/api/")
    kind = "application/json" if is_api else "application/x-www-form-urlencoded"
    with transaction.atomic(), CaptureQueriesContext(connection) as queries:
        if call.method == "GET":
            answer = client.get(address, HTTP_ACCEPT="text/html")
        else:
            ask = getattr(client, call.method.lower())
            answer = ask(address, "{}" if is_api else "", content_type=kind)
        transaction.set_rollback(True)
    return answer.status_code, _plain(answer.content.decode(), ids), len(queries)


def _plain(text: str, ids: dict[str, Any]) -> str:
    """The text without ids, and without what is another one each time."""
    for value in ids.values():
        number = isinstance(value, int)
        text = text.replace(f"/{value}/" if number else str(value), "/ID/")
    return re.sub(r'csrfmiddlewaretoken" value="\w+"|data-at="[^"]*"', "", text)


@pytest.mark.one_database
def test_every_door_is_shut_and_foreign_and_invented_ids_answer_alike(
    browser: Client, stranger: User, secrets: dict[str, Any]
) -> None:
    invented = {
        name: uuid4() if isinstance(value, UUID) else value + 1000
        for name, value in secrets.items()
    }
    tried = 0
    for call in _calls():
        foreign = _asked(browser, call, secrets)
        status, text, _ = foreign
        assert status != 500, call
        assert SECRET not in text.lower(), (call, text)
        assert "10.77.0.1" not in text, call
        assert "7654321" not in text, call
        if not _theirs(call.route):
            continue
        tried += 1
        assert status in {403, 404, 405, 422}, (call, status)
        assert foreign == _asked(browser, call, invented), call
    assert tried > 60


@pytest.mark.one_database
def test_no_search_and_no_filter_finds_it(
    browser: Client, secrets: dict[str, Any], host: Host
) -> None:
    lists = [
        call.route
        for call in _calls()
        if call.method == "GET" and not _names(call.route)
    ]
    words = (f"search={SECRET}", f"host={host.pk}", f"project={secrets['project']}")
    for route in lists:
        for word in words if route.startswith("/api/") else words[:1]:
            answer = browser.get(f"{route}?{word}")
            text = answer.content.decode().lower().replace(word, "")
            text = re.sub(r'(value=")?[^"<>\s]*search=[^"<>\s]*', "", text)
            found = re.sub(rf'value="{SECRET}[\w-]*"', "", text)
            assert f"{SECRET}-guest" not in found, (route, word)
            assert "10.77.0.1" not in found, (route, word)
            if route.startswith("/api/") and answer.status_code == 200:
                said = answer.json() if "json" in answer["Content-Type"] else {}
                assert not (isinstance(said, dict) and said.get("count")) or (
                    SECRET not in str(said["items"])
                ), (route, word)


def test_every_topic_of_theirs_is_shut(
    stranger: User, user: User, secrets: dict[str, Any], host: Host
) -> None:
    idents = [*(str(value) for value in secrets.values()), str(host.pk)]
    own = {
        f"project:{pk}" for pk in roles_of(stranger)
    }  # a number may be another's, too
    for kind in kinds():
        for name in {f"{kind}:{ident}" for ident in idents} - own:
            with pytest.raises(NotFound, match="no such topic"):
                open_topic(stranger, name)
        _hears_nothing(stranger, kind, secrets, user)


def _hears_nothing(
    stranger: User, kind: str, secrets: dict[str, Any], user: User
) -> None:
    """Of a topic that everybody may open, none of what is theirs comes through."""
    try:
        hear = open_topic(stranger, kind)
    except NotFound:
        return
    guest = Guest.objects.get(pk=secrets["guest"])
    about = {
        "uuid": str(guest.pk),
        "guest": str(guest.pk),
        "guests": {str(guest.pk): {"cpu_percent": 1}},
        "project": guest.project_id,
        "owner": "uwe",
        "requested_by": "uwe",
        "requester": "uwe",
        "user": user.pk,
        "id": secrets["request"],
        "name": guest.name,
    }
    for word in ("state", "stats", "operation", "removed", "usage"):
        assert hear(word, about) is None, (kind, word)


@pytest.mark.one_database
def test_who_is_in_the_project_reads_no_host(
    secrets: dict[str, Any], user: User, host: Host
) -> None:
    client = Client()
    client.force_login(user)
    ids = secrets
    for call in _calls():
        if call.method != "GET" or not (_theirs(call.route) or not _names(call.route)):
            continue
        status, text, _ = _asked(client, call, ids)
        assert status != 500, call
        assert host.name not in text, (call, text[:3000])
        assert f"/{SECRET}/" not in text, call
        assert "10.99.0.7" not in text, call


def test_what_a_host_said_is_not_for_users(
    secrets: dict[str, Any], user: User, host: Host
) -> None:
    client = Client()
    client.force_login(user)
    said = client.get(f"/api/v1/operations/{secrets['operation']}/").json()
    assert said["error"]["code"] == "host_error"
    assert said["error"]["message"] == (
        f"{SECRET}-guest: “start” failed. Those who run the hosts can see why."
    )
    assert (said["host"], said["host_name"], said["log"]) == (None, "", [])
    assert not may(user, "see-hosts")  # type: ignore[arg-type]


def test_the_audit_record_knows_who_probed(
    browser: Client, secrets: dict[str, Any]
) -> None:
    browser.get(f"/api/v1/guests/{secrets['guest']}/")
    (row,) = AuditEntry.objects.filter(outcome="refused")
    assert (row.actor, row.target) == ("stranger", f"guest:{secrets['guest']}")
