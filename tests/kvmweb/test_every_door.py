"""Every address × everybody: each door does what it declares, found by its routes.

A new door is in these tests by itself; one with a new kind of id says so in IDS.
"""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from types import ModuleType
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.apps import apps
from django.core.checks import run_checks
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from django.utils import timezone

from guests.balance.models import PlacementRule
from guests.folders.models import FolderLimit, SavedView
from guests.images.models import Image
from guests.models import Guest
from guests.snapshots.models import Snapshot
from hosts.models import Host, Network, Pool, Volume
from kvmweb.accounts.gate import Right, door, may
from kvmweb.accounts.models import Project, Token, User
from kvmweb.accounts.routes import ANY, Door, every_door
from kvmweb.accounts.sessions import store
from kvmweb.operations.models import Operation
from portal.flavors.models import Flavor
from portal.keys.models import SshKey
from portal.leases.models import Lease
from portal.requests.models import ApprovalRule, Request
from portal.telling.models import Delivery, Notice, Webhook

pytestmark = pytest.mark.one_database
GUEST = UUID("0b5a7c7e-4b6c-4c8e-9a53-0c6d6f1d2a11")
OPERATION = UUID("7d1d1a52-9f3e-4a43-9a55-6f5c9c2b3e22")
SAFE = ("GET",)
UNASKED = {"/login/oidc/back/"}  # whoever was not sent there is refused
OWNED = re.compile(r"/(projects|requests|views)/\d+/")


@dataclass(frozen=True)
class Call:
    """One method on one address."""

    method: str
    address: str
    right: Right

    @property
    def is_api(self) -> bool:
        return self.address.startswith("/api/")

    @property
    def takes_tokens(self) -> bool:
        return self.is_api or self.address == "/metrics"

    def by(self, client: Client) -> HttpResponse:
        headers = {"HTTP_ACCEPT": "text/html"}
        if self.method == "GET":
            return client.get(self.address, **headers)  # type: ignore[arg-type]
        ask = getattr(client, self.method.lower())
        kind = (
            "application/json" if self.is_api else "application/x-www-form-urlencoded"
        )
        body = "{}" if self.is_api else ""
        answer: HttpResponse = ask(self.address, body, content_type=kind)
        return answer


@pytest.fixture
def scene(redis_server: str, db: None) -> dict[str, Any]:
    """One of each thing that has an address; nobody owns the guest."""
    host = Host.objects.create(name="h1", transport="test")
    pool = Pool.objects.create(
        host=host,
        uuid=uuid4(),
        name="images",
        type="dir",
        active=True,
        autostart=True,
        persistent=True,
    )
    volume = Volume.objects.create(pool=pool, name="v", key="v", path="/v")
    network = Network.objects.create(
        host=host,
        uuid=uuid4(),
        name="net1",
        active=True,
        autostart=True,
        persistent=True,
    )
    guest = Guest.objects.create(uuid=GUEST, name="g1", state="shutoff", host=host)
    Snapshot.objects.create(guest=guest, name="before", kind="internal")
    Operation.objects.create(
        id=OPERATION, kind="guest.start", state="succeeded", guest=GUEST
    )
    someone = User.objects.make("someone", None)
    token = Token.objects.create(
        user=someone, name="t", prefix="kvw_t", digest="0" * 64
    )
    return {
        "handle": uuid4(),
        "passkey": 1,
        "letter": uuid4(),
        "link": "nobody-signed-this",
        "host": host.pk,
        "pool": pool.pk,
        "volume": volume.pk,
        "network": network.pk,
        "mac": "52:54:00:00:00:01",
        "image": Image.objects.create(name="i", state="ready").pk,
        "guest": GUEST,
        "operation": OPERATION,
        "user": someone.pk,
        "token": token.pk,
        "action": "start",
        "snapshot": "before",
        "target": "vda",
        "device": "pci_0000_00_02_0",
        "number": 1,
        "lease": Lease.objects.create(
            guest=GUEST, guest_name="g1", ends_at=timezone.now()
        ).pk,
        "rule": PlacementRule.objects.create(tag="db", kind="apart").pk,
        "limit": FolderLimit.objects.create(path="web", guests=9).pk,
        "verb": "begin",
        "notice": Notice.objects.create(user=someone, event="test", title="n").pk,
        "webhook": (hook := Webhook.objects.create(user=someone, name="w")).pk,
        "delivery": Delivery.objects.create(way="webhook", webhook=hook, title="d").pk,
        "project": (project := Project.objects.create(name="p")).pk,
        "request": Request.objects.create(project=project, name="r", author="x").pk,
        "approval": ApprovalRule.objects.create(name="a").pk,
        "key": SshKey.objects.create(
            user=someone, name="k", text="ssh-ed25519 AAAA", fingerprint="f"
        ).pk,
        "flavor": Flavor.objects.create(
            name="f", vcpus=1, memory_bytes=2**30, disk_bytes=2**30
        ).pk,
        "username": someone.username,
        "view": SavedView.objects.create(owner=someone, name="v").pk,
    }


IDS = {
    "notice_id": "notice",
    "webhook_id": "webhook",
    "delivery_id": "delivery",
    "project_id": "project",
    "flavor_id": "flavor",
    "username": "username",
    "handle": "handle",
    "passkey_id": "passkey",
    "letter_id": "letter",
    "identity_id": "passkey",
    "link": "link",
    "host_id": "host",
    "source_id": "host",
    "target_id": "host",
    "pool_id": "pool",
    "volume_id": "volume",
    "network_id": "network",
    "mac": "mac",
    "image_id": "image",
    "uuid": "guest",
    "operation_id": "operation",
    "user_id": "user",
    "token_id": "token",
    "action": "action",
    "name": "snapshot",
    "target": "target",
    "device": "device",
    "number": "number",
    "rule_id": "rule",
    "lease_id": "lease",
    "request_id": "request",
    "approval_id": "approval",
    "key_id": "key",
    "limit_id": "limit",
    "view_id": "view",
    "verb": "verb",
}
PAGES = {
    "/hosts/": "host",
    "/guests/": "guest",
    "/machines/": "guest",
    "/operations/": "operation",
    "/users/": "user",
    "/account/tokens/": "token",
}


@pytest.fixture(autouse=True)
def seen_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """That a session was seen again after a minute is no change that matters here."""
    monkeypatch.setattr(store, "NOTED_EVERY", timedelta(days=1))


def _calls(scene: dict[str, Any], methods: tuple[str, ...] = ()) -> Iterator[Call]:
    """Each door once with each of its methods, with ids of things that are there."""
    seen: set[tuple[str, str]] = set()
    for each in every_door():
        address = _address(each, scene)
        asked = ("GET", "POST") if each.method == ANY else (each.method,)
        for method in asked:
            if (method, address) in seen or (methods and method not in methods):
                continue
            seen.add((method, address))
            assert each.right is not None
            yield Call(method, address, each.right)


def _address(each: Door, scene: dict[str, Any]) -> str:
    def value(match: re.Match[str]) -> str:
        name = match["name"]
        if name == "pk":
            (thing,) = [t for start, t in PAGES.items() if each.route.startswith(start)]
        else:
            thing = IDS[name]
        return str(scene[thing])

    return re.sub(r"<(?:\w+:)?(?P<name>\w+)>", value, each.route)


@contextmanager
def _undone() -> Iterator[None]:
    """Whatever the block does to the database is undone, and nothing is sent on."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def _fresh(signed_in: Client, **options: Any) -> Client:
    """Another browser with the same session."""
    client = Client(**options)
    client.cookies.load(
        {name: morsel.value for name, morsel in signed_in.cookies.items()}
    )
    return client


def _expect_shut(call: Call, answer: HttpResponse) -> None:
    """Nobody known asked."""
    if call.right == Right.PUBLIC:
        assert answer.status_code not in (401, 500), call
    elif call.is_api or call.method != "GET":
        assert answer.status_code == 401, call
    else:
        assert answer.status_code == 302, call
        assert answer["Location"].startswith("/login/?next="), call


def _expect(call: Call, user: User, answer: HttpResponse) -> None:
    """Somebody known asked: 403 exactly where their role has not the right.

    Who sees a project, a request or a view that is another's may not do all of it.
    """
    if may(user, call.right):
        by_itself = OWNED.search(call.address) or call.address in UNASKED
        refused = (401, 500) if by_itself else (401, 403, 500)
        assert answer.status_code not in refused, (call, answer.content)
    else:
        assert answer.status_code == 403, call


def test_every_door_declares_a_right() -> None:
    assert [each for each in every_door() if each.right is None] == []
    assert len({each.route for each in every_door()}) > 40
    assert not [m for m in run_checks(tags=["security"]) if m.id == "kvmweb.E001"]


def test_a_door_without_a_right_is_found_and_shut(
    as_admin: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def careless(_request: HttpRequest) -> HttpResponse:
        return HttpResponse("open")

    urls = ModuleType("careless_urls")
    urls.urlpatterns = [  # type: ignore[attr-defined]
        path("careless/", careless),
        path("careful/", door(Right.PUBLIC)(careless)),
    ]
    urls.handler404 = "kvmweb.answers.not_found"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "careless_urls", urls)
    settings.ROOT_URLCONF = "careless_urls"
    (found,) = [m for m in run_checks(tags=["security"]) if m.id == "kvmweb.E001"]
    assert "/careless/" in found.msg
    answer = as_admin.get("/api/../careless/")
    assert b"open" not in answer.content
    assert as_admin.get("/careful/").content == b"open"


def test_a_stranger_gets_in_nowhere(scene: dict[str, Any]) -> None:
    for call in _calls(scene):
        with _undone():
            _expect_shut(call, call.by(Client()))


def test_a_session_of_somebody_disabled_gets_in_nowhere(
    scene: dict[str, Any], as_admin: Client, admin: User
) -> None:
    User.objects.filter(pk=admin.pk).update(is_active=False)
    for call in _calls(scene):
        with _undone():
            _expect_shut(call, call.by(_fresh(as_admin)))


@pytest.mark.parametrize("who", ["user", "operator", "admin"])
def test_everybody_gets_in_where_their_role_may(
    scene: dict[str, Any], who: str, request: pytest.FixtureRequest
) -> None:
    user: User = request.getfixturevalue(who)
    browser: Client = request.getfixturevalue(f"as_{who}")
    for call in _calls(scene):
        with _undone():
            _expect(call, user, call.by(_fresh(browser)))


@pytest.mark.parametrize(
    ("who", "scope"),
    [
        ("user", "write"),
        ("operator", "write"),
        ("admin", "write"),
        ("admin", "read"),
        ("disabled", "write"),
    ],
)
def test_a_token_gets_in_where_its_user_and_scope_may(
    scene: dict[str, Any],
    who: str,
    scope: str,
    request: pytest.FixtureRequest,
    token_of: Callable[..., str],
) -> None:
    user: User = request.getfixturevalue(who)
    sent = {"Authorization": f"Bearer {token_of(user, scope=scope)}"}
    for call in _calls(scene):
        with _undone():
            answer = call.by(Client(headers=sent))
        if not call.takes_tokens:
            _expect_shut(call, answer)
        elif who == "disabled":
            assert answer.status_code in (401, 302), call
        elif scope == "read" and call.method not in SAFE:
            assert answer.status_code == 403, call
        else:
            _expect(call, user, answer)


def test_a_foreign_guest_an_invented_one_and_a_deleted_one_read_the_same(
    scene: dict[str, Any], as_user: Client
) -> None:
    invented = scene | {"guest": uuid4(), "operation": uuid4()}
    for foreign, missing in zip(_calls(scene), _calls(invented), strict=True):
        if str(GUEST) not in foreign.address and str(OPERATION) not in foreign.address:
            continue
        with _undone():
            answers = [call.by(_fresh(as_user)) for call in (foreign, missing)]
        statuses = {answer.status_code for answer in answers}
        assert len(statuses) == 1, foreign
        if foreign.is_api:
            details = [answer.json()["detail"] for answer in answers]  # type: ignore[attr-defined]
            assert details[0] == details[1], foreign


def test_looking_changes_nothing(scene: dict[str, Any], as_admin: Client) -> None:
    before = _rows(without=("auditentry",))  # a refusal is written down
    for call in _calls(scene, SAFE):
        call.by(_fresh(as_admin))
        assert _rows(without=("auditentry",)) == before, call


def test_nothing_is_changed_from_another_site(
    scene: dict[str, Any], as_admin: Client
) -> None:
    changing = ("POST", "PATCH", "PUT", "DELETE")
    before = _rows(without=("auditentry",))
    for call in _calls(scene, changing):
        answer = call.by(_fresh(as_admin, enforce_csrf_checks=True))
        assert answer.status_code == 403, call
        assert _rows(without=("auditentry",)) == before, call


def _rows(without: tuple[str, ...] = ()) -> dict[str, list[Any]]:
    """All rows of all tables."""
    return {
        model._meta.label: list(model._base_manager.order_by("pk").values_list())
        for model in apps.get_models()
        if model._meta.model_name not in without
    }
