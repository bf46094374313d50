"""A group that is led: its leader begins children, hears of ends, and no worker is held."""

from collections.abc import Iterator

import pytest

from kvmweb.accounts.models import User
from kvmweb.operations import ending, services
from kvmweb.operations.ending import End, Turn, end, leads, settle
from kvmweb.operations.models import Operation
from tests.kvmweb.operations import kinds  # noqa: F401  declares test.steps

State = Operation.State
COUNT = 3


@pytest.fixture
def led(redis_server: str, admin: User) -> Iterator[Operation]:
    """A group whose leader begins one child after the other."""
    leads("test.led")(lead)
    group = services.group("test.led", by=admin)
    settle(group.pk)
    yield group
    del ending._leaders["test.led"]


def lead(group: Operation) -> Turn:
    children = group.children.count()
    if group.children.filter(state__in=Operation.ACTIVE).exists():
        return Turn(children / COUNT / 2, f"{children} begun")
    if group.cancel_requested_at:
        return Turn(end=End(State.CANCELLED, "Stopped.", "cancelled"))
    if children == COUNT:
        return Turn(end=End(State.SUCCEEDED, "All done.", result={"children": COUNT}))
    services.submit("test.steps", by=group.requested_by, parent=group)
    return Turn(children / COUNT, f"{children + 1} begun")


def finish(group: Operation) -> None:
    row = Operation.objects.filter(parent=group, state=State.QUEUED)
    end(row, End(State.SUCCEEDED, "Done."))


def test_the_next_child_begins_when_one_has_ended(led: Operation) -> None:
    for number in range(1, COUNT + 1):
        assert Operation.objects.filter(parent=led).count() == number
        finish(led)
    led.refresh_from_db()
    assert (led.state, led.message) == (State.SUCCEEDED, "All done.")
    assert led.result == {"children": COUNT}
    assert led.worker == ""


def test_the_sweep_goes_on_where_a_worker_died_before_it_could_say(
    led: Operation,
) -> None:
    Operation.objects.filter(parent=led).update(state=State.SUCCEEDED)  # and no more
    services.sweep()
    assert Operation.objects.filter(parent=led).count() == 2


def test_once_cancelled_it_begins_nothing(led: Operation, admin: User) -> None:
    services.cancel(led, by=admin)
    led.refresh_from_db()
    assert (led.state, led.children.count()) == (State.CANCELLED, 1)


def test_gently_cancelled_it_lets_the_running_child_end(
    led: Operation, admin: User
) -> None:
    Operation.objects.filter(parent=led).update(state=State.RUNNING, worker="w")
    services.cancel(led, by=admin, gently=True)
    (child,) = led.children.all()
    assert child.cancel_requested_at is None
    led.refresh_from_db()
    assert led.state == State.RUNNING
    end(led.children.all(), End(State.SUCCEEDED, "Done."))
    led.refresh_from_db()
    assert led.state == State.CANCELLED
