"""A guest moves while somebody looks at its screen: where it is is asked anew, of rows."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from guests import following, proxy, reach
from guests.models import ConsoleTicket, Guest, Twin
from hosts.models import Host
from kvmweb.errors import Conflict, Forbidden, NotFound
from kvmweb.operations.models import Operation

pytestmark = pytest.mark.django_db
Step = Callable[[], object]


class _Clock:
    """Time that passes only while somebody waits, and what happens on the way."""

    def __init__(self) -> None:
        self.now = 0.0
        self.steps: list[Step] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.steps:
            self.steps.pop(0)()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    made = _Clock()
    monkeypatch.setattr(following, "time", made)
    return made


@pytest.fixture
def there(host_of: Callable[[str], Host]) -> Host:
    return host_of("there")


@pytest.fixture
def ticket(user: Any, host_of: Callable[[str], Host]) -> ConsoleTicket:
    """Taken by its owner, who looks at a guest that runs."""
    screen = {"kind": "vnc", "port": 5900, "socket": "", "listen": "127.0.0.1"}
    guest = Guest.objects.create(
        uuid=uuid4(),
        name="web-1",
        state="running",
        host=host_of("here"),
        owner=user,
        graphics=[screen],
        serial=True,
    )
    return ConsoleTicket.objects.create(
        digest="d", user=user, guest=guest, kind="serial", expires_at=timezone.now()
    )


def _move(ticket: ConsoleTicket, host: Host, **columns: Any) -> Step:
    return lambda: Guest.objects.filter(pk=ticket.guest_id).update(host=host, **columns)


def _moving(ticket: ConsoleTicket, state: str = "running") -> Operation:
    return Operation.objects.create(
        kind="guest.migrate", state=state, guest=ticket.guest_id
    )


def test_it_waits_until_the_row_says_where_it_is(
    ticket: ConsoleTicket, there: Host, clock: _Clock
) -> None:
    _moving(ticket)
    left = ticket.guest.host_id
    clock.steps = [lambda: None] * 50 + [
        _move(ticket, there, state="shutoff"),
        _move(ticket, there, state="running"),
    ]

    found = following.home_after(ticket, left)

    assert found.guest.host == there
    assert 5 < clock.now < 6


def test_one_that_does_not_move_is_not_waited_for(
    ticket: ConsoleTicket, clock: _Clock
) -> None:
    with pytest.raises(Conflict, match="no screen now"):
        following.home_after(ticket, ticket.guest.host_id)

    assert clock.now == 0


def test_news_of_a_move_we_did_not_begin_may_take_a_moment(
    ticket: ConsoleTicket, there: Host, clock: _Clock
) -> None:
    clock.steps = [lambda: None] * 5 + [_move(ticket, there)]

    found = following.home_after(ticket, ticket.guest.host_id, patience_s=2)

    assert found.guest.host == there


def test_a_move_that_never_ends_is_not_waited_for_for_ever(
    ticket: ConsoleTicket, clock: _Clock
) -> None:
    Twin.objects.create(
        guest=ticket.guest, host=Host.objects.get(), name="web-1", moving=True
    )

    with pytest.raises(Conflict):
        following.home_after(ticket, ticket.guest.host_id)

    assert following.MOVING_S <= clock.now < following.MOVING_S + 1


def test_the_right_is_asked_again_on_the_way(
    ticket: ConsoleTicket, there: Host, clock: _Clock
) -> None:
    _moving(ticket)
    clock.steps = [
        lambda: Guest.objects.update(owner=None),
        _move(ticket, there),
    ]

    with pytest.raises(NotFound):
        following.home_after(ticket, ticket.guest.host_id)


def test_an_account_that_was_disabled_follows_nothing(
    ticket: ConsoleTicket, there: Host, clock: _Clock
) -> None:
    _moving(ticket)
    _move(ticket, there)()
    ticket.user.is_active = False
    ticket.user.save()

    with pytest.raises(Forbidden):
        following.home_after(ticket, None)


def test_a_ticket_is_had_for_a_guest_that_is_on_its_way(
    as_user: Client, ticket: ConsoleTicket
) -> None:
    Guest.objects.update(state="shutoff")

    def asked() -> int:
        address = f"/api/v1/guests/{ticket.guest_id}/console/"
        return as_user.post(address, {}, content_type="application/json").status_code

    assert asked() == 409
    operation = _moving(ticket)
    assert asked() == 200
    operation.state = "succeeded"
    operation.save()
    assert asked() == 409


@pytest.mark.parametrize("kind", ["serial", "vnc"])
def test_a_serial_port_is_opened_anew_where_the_guest_is(
    ticket: ConsoleTicket,
    there: Host,
    monkeypatch: pytest.MonkeyPatch,
    clock: _Clock,
    kind: str,
) -> None:
    ticket.kind = kind
    ticket.save()
    opened: list[Host | None] = []

    class _Way:
        def __enter__(self) -> None:
            return None

        def __exit__(self, *_: object) -> None:
            return None

    def screen(asked: ConsoleTicket, text: str) -> _Way:
        opened.append(asked.guest.host)
        return _Way()

    monkeypatch.setattr(reach, "screen", screen)
    # What is closed here is the test's own connection.
    monkeypatch.setattr(proxy, "connections", type("_", (), {"close_all": lambda: 0}))
    shown = proxy.Screen(ticket, "text")
    _move(ticket, there)()

    assert shown.follow() == (kind == "serial")
    assert opened[1:] == ([there] if kind == "serial" else [])


def test_a_screen_asked_for_in_the_very_moment_of_the_move_is_found(
    ticket: ConsoleTicket, there: Host, monkeypatch: pytest.MonkeyPatch, clock: _Clock
) -> None:
    _moving(ticket)
    clock.steps = [_move(ticket, there)]
    asked: list[Host | None] = []

    def screen(asked_for: ConsoleTicket, text: str) -> Any:
        asked.append(asked_for.guest.host)
        if asked_for.guest.host != there:
            raise Conflict("web-1 is not on its host any more.")
        return memoryview(b"")  # what can be entered

    monkeypatch.setattr(reach, "screen", screen)
    monkeypatch.setattr(proxy, "connections", type("_", (), {"close_all": lambda: 0}))

    proxy.Screen(ticket, "text")

    assert [host.name for host in asked if host] == ["here", "there"]
