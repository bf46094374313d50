"""A convoy keeps its limits, and ends whatever becomes of its moves."""

from collections import Counter
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guests.draining import services
from guests.draining.models import Step
from guests.draining.pacing import Limits, Way, next_up
from guests.models import Guest
from hosts.evacuating import Ways
from hosts.models import Host
from kvmweb.accounts.models import User
from kvmweb.operations.models import Operation
from tests.guests.fleet import Ender, State

_WAYS = st.lists(
    st.tuples(st.integers(1, 3), st.none() | st.integers(4, 7)), max_size=20
).map(lambda ends: [Way(n, *both) for n, both in enumerate(ends)])
_LIMITS = st.builds(Limits, st.integers(1, 4), st.integers(1, 4), st.integers(1, 4))


@given(_WAYS, _LIMITS)
def test_no_more_begin_than_the_limits_allow_and_no_fewer(
    waiting: list[Way], limits: Limits
) -> None:
    chosen = [waiting[number] for number in next_up([], waiting, limits)]
    sources = Counter(way.source for way in chosen)
    targets = Counter(way.target for way in chosen if way.target)
    links = Counter((way.source, way.target) for way in chosen if way.target)
    assert max(sources.values(), default=0) <= limits.per_source
    assert max(targets.values(), default=0) <= limits.per_target
    assert max(links.values(), default=0) <= limits.per_link
    rest = [way for way in waiting if way not in chosen]
    assert next_up(chosen, rest, limits) == []


@pytest.mark.parametrize("seed", range(6))
def test_it_ends_whatever_becomes_of_its_moves(
    fleet: list[Host],
    runs: Callable[..., Guest],
    admin: User,
    arrives: Ender,
    seed: int,
) -> None:
    random = Random(seed)  # noqa: S311  the same each time
    count = 5
    for number in range(count):
        runs(f"web-{number}", memory_mib=random.choice((64, 256, 512)))
    parent = services.evacuate(fleet[0], Ways(per_target=1), admin)
    begun = 0
    while row := Operation.objects.filter(parent=parent, state="queued").first():
        begun += 1
        assert begun <= 2 * count
        assert row.guest is not None
        end = random.choice([State.SUCCEEDED, State.FAILED, State.CANCELLED])
        arrives(row.guest, end)
    parent.refresh_from_db()
    assert not parent.active
    assert not Step.objects.filter(state__in=("waiting", "running")).exists()
    assert len(parent.result["guests"]) == count
    assert all(it["attempts"] <= 2 for it in parent.result["guests"])
