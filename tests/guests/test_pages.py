"""The pages of guests: who sees what, and what they cost."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from guests import facts
from guests.models import Guest
from hosts.models import Host, Pool, Volume
from kvmweb.operations.models import Operation
from kvmweb.virt.types import DomainState, Lost
from tests.guests.conftest import disk, domain

RUNNING = DomainState.RUNNING
MARKUP = "<script>alert(1)</script>"


@pytest.fixture(autouse=True)
def _redis(redis_server: str) -> None:
    """Numbers and news need one."""


@pytest.fixture
def web(kvm1: Host) -> Guest:
    """A stopped guest with a disk in a pool."""
    pool = Pool.objects.create(
        host=kvm1,
        uuid=uuid4(),
        name="default",
        type="dir",
        active=True,
        autostart=True,
        persistent=True,
        target="/images",
        capacity_bytes=100,
        available_bytes=5,
    )
    Volume.objects.create(
        pool=pool, name="web.img", key="k", path="/images/web.img", capacity_bytes=1024
    )
    facts.record_look(kvm1, [domain("web", disks=(disk("/images/web.img"),))])
    return Guest.objects.select_related("host").get()


@pytest.mark.parametrize(
    "query",
    [
        "",
        "search=guest&state=running&sort=-host&page=2",
        "sort=cpu",
        "sort=-network",
        "sort=nonsense&state=odd&page=zzz&host=none",
        "tag=x&owner=-&agent=yes&gone=yes&conflict=yes",
    ],
)
def test_a_page_of_the_list_costs_at_most_twelve_queries(
    as_operator: Client,
    kvm1: Host,
    query: str,
    django_assert_max_num_queries: Callable[[int], Any],
) -> None:
    told = [
        domain(f"guest-{n:03}", RUNNING, disks=(disk(f"/{n}"),)) for n in range(120)
    ]
    facts.record_look(kvm1, told)
    with django_assert_max_num_queries(12):
        answer = as_operator.get(f"/guests/?{query}")
    assert answer.status_code == 200


def test_the_list_has_fifty_a_page_and_no_gone_ones(
    as_operator: Client, kvm1: Host
) -> None:
    told = [domain(f"guest-{n:03}") for n in range(60)]
    facts.record_look(kvm1, told)
    facts.record_look(kvm1, told[:55])
    first = as_operator.get("/guests/").context["page"]
    assert (first.paginator.count, len(first.object_list)) == (55, 50)
    second = as_operator.get("/guests/?page=2").context["page"]
    assert second.object_list[0].name == "guest-050"
    gone = as_operator.get("/guests/?state=gone").context["page"]
    assert gone.paginator.count == 5


def test_a_row_offers_what_its_state_allows_in_a_menu(
    as_operator: Client, as_user: Client, web: Guest
) -> None:
    page = as_operator.get("/guests/").content.decode()
    assert f'aria-label="More actions on {web.name}"' in page
    assert 'data-act="resume" data-states="paused suspended"' in page
    assert 'data-below="delete/"' in page
    assert 'data-below="delete/"' not in as_user.get("/guests/").content.decode()


@pytest.mark.parametrize("state", list(DomainState))
def test_the_page_of_a_guest_is_there_in_every_state(
    as_operator: Client, as_user: Client, user: Any, web: Guest, state: DomainState
) -> None:
    Guest.objects.update(state=state, owner=user, known_state="running")
    for client in (as_operator, as_user):
        answer = client.get(f"/guests/{web.pk}/")
        assert answer.status_code == 200
        enabled = {it.name for it in answer.context["actions"] if it.enabled}
        reasons = [it.reason for it in answer.context["actions"] if not it.enabled]
        assert all(reasons)
        assert ("start" in enabled) == (state in {"shutoff", "crashed"})
    assert b"/images" not in answer.content
    assert b"kvm1" not in answer.content


def test_a_page_shows_markup_as_text(as_operator: Client, kvm1: Host) -> None:
    evil = domain(
        MARKUP, RUNNING, title=MARKUP, description=MARKUP, disks=(disk(f"/{MARKUP}"),)
    )
    facts.record_look(kvm1, [evil])
    for page in ("/guests/", f"/guests/{evil.uuid}/", "/"):
        assert MARKUP.encode() not in as_operator.get(page).content


def test_the_first_page_says_what_needs_somebody(
    as_operator: Client, as_user: Client, web: Guest, kvm1: Host, kvm2: Host
) -> None:
    facts.record_domain(kvm1, domain("sick", DomainState.CRASHED), "")
    facts.record_domain(kvm2, domain("web", uuid=web.pk), "")
    Host.objects.filter(pk=kvm2.pk).update(state=Host.State.DOWN, error="No route.")
    Operation.objects.create(
        kind="guest.start",
        guest=web.pk,
        guest_name="web",
        state=Operation.State.FAILED,
        error_message="No memory.",
        finished_at=web.first_seen_at,
    )
    answer = as_operator.get("/")
    kinds = [it.kind for it in answer.context["attention"]]
    assert sorted(kinds) == ["conflict", "crashed", "host", "operation", "pool"]
    assert answer.context["counts"]["total"] == 2
    assert not answer.context["can_demo"]
    answer = as_user.get("/")
    assert answer.context["attention"] == []
    assert answer.context["counts"]["total"] == 0
    assert b"kvm" not in answer.content.replace(b"kvmweb", b"")


def test_a_demo_guest_is_offered_where_there_is_none(
    as_operator: Client, as_user: Client, host_of: Callable[..., Host]
) -> None:
    here = host_of("here", transport="local")
    assert as_operator.get("/").context["can_demo"]
    assert not as_user.get("/").context["can_demo"]
    assert as_user.post("/api/v1/guests/demo/").status_code == 403
    answer = as_operator.post("/guests/demo/")
    assert answer.headers["Location"] == "/"
    operation = Operation.objects.get()
    assert (operation.kind, operation.guest_name, operation.host) == (
        "guest.start-demo",
        "demo-1",
        here.pk,
    )
    Host.objects.update(state=Host.State.DOWN)
    assert not as_operator.get("/").context["can_demo"]
    assert as_operator.post("/api/v1/guests/demo/").status_code == 409


def test_words_are_edited_and_nothing_typed_is_lost(
    as_operator: Client, web: Guest
) -> None:
    page = f"/guests/{web.pk}/edit/"
    assert "owner" not in as_operator.get(page).context["form"].fields
    typed = {"title": "Front", "description": "a\r\nb", "tags": "Prod, web"}
    answer = as_operator.post(page, typed | {"tags": "no//tag"})
    assert answer.status_code == 422
    assert b"Front" in answer.content
    assert b"is no tag" in answer.content
    answer = as_operator.post(page, typed)
    assert answer.headers["Location"] == f"/guests/{web.pk}/"
    assert Guest.objects.get().tags == ["prod", "web"]
    asked = Operation.objects.get(kind="guest.edit").params
    assert asked == {"title": "Front", "description": "a\nb"}


def test_deleting_asks_for_the_name_and_names_each_volume(
    as_operator: Client, web: Guest
) -> None:
    page = f"/guests/{web.pk}/delete/"
    said = as_operator.get(page)
    [fate] = said.context["volumes"]
    assert (fate.path, fate.deleted, fate.capacity_bytes) == (
        "/images/web.img",
        True,
        1024,
    )
    assert b"/images/web.img" in said.content
    wrong = as_operator.post(page, {"name": "wep", "volumes": "delete"})
    assert wrong.status_code == 422
    assert not Operation.objects.exists()
    answer = as_operator.post(page, {"name": "web", "volumes": "delete"})
    operation = Operation.objects.get()
    assert answer.headers["Location"] == f"/operations/{operation.pk}/"
    assert operation.params == {"volumes": ["/images/web.img"], "kept": []}


def test_a_protected_guest_says_why_it_stays(as_operator: Client, web: Guest) -> None:
    Guest.objects.update(protected=True)
    page = f"/guests/{web.pk}/delete/"
    assert "protected" in as_operator.get(page).context["refusal"]
    answer = as_operator.post(page, {"name": "web"})
    assert answer.status_code == 422
    assert b"protected from deletion" in answer.content
    assert not Operation.objects.exists()


def test_a_refused_button_says_why(as_operator: Client, web: Guest, kvm1: Host) -> None:
    facts.host_lost(kvm1, Lost("It does not answer.", "", "host_unreachable"))
    Host.objects.update(state=Host.State.DOWN, error="It does not answer.")
    answer = as_operator.post(f"/guests/{web.pk}/start/")
    [message] = get_messages(answer.wsgi_request)
    assert "kvm1 is down since" in str(message)
