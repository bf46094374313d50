"""A round of the canary: each way once, what broke written down, a second try where due."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from guests.canary import rounds, rows
from guests.canary.flying import Flight
from guests.canary.models import Canary, CanaryResult
from hosts.models import Host
from kvmweb.errors import Cancelled, Conflict
from kvmweb.operations.models import Operation

Way = tuple[str, str]


class _Run:
    """As much of a run as a round needs."""

    def __init__(self, hosts: list[int]) -> None:
        self.operation = Operation.objects.create(kind=rows.RUN, state="running")
        self.params = {"hosts": hosts}
        self.sentence = ""
        self.stop_after = 99

    def say(self, sentence: str) -> None:
        self.sentence = sentence

    def log(self, sentence: str) -> None:
        """Nothing."""

    def progress(self, fraction: float, phase: str = "") -> None:
        """Nothing."""

    def check_cancelled(self) -> None:
        self.stop_after -= 1
        if self.stop_after < 0:
            raise Cancelled("Somebody asked it to stop.")


class _Sky:
    """Every bird that is out, and the ways that are broken, for birds of which host."""

    def __init__(self) -> None:
        self.hatched: list[str] = []
        self.flown: list[Way] = []
        self.broken: Callable[[Way, str], bool] = lambda _way, _born: False


@pytest.fixture
def sky(monkeypatch: pytest.MonkeyPatch) -> _Sky:
    found = _Sky()

    class Bird:
        def __init__(self, run: Any) -> None:
            self.row = Canary.objects.create(
                uuid=uuid4(), name="bird", operation=run.operation.pk
            )
            self.home: Host | None = None
            self.born: Host | None = None

        def hatch(self, host: Host) -> None:
            found.hatched.append(host.name)
            self.home = self.born = host

        def fly(self, target: Host) -> Flight:
            assert self.home
            assert self.born
            way = (self.home.name, target.name)
            found.flown.append(way)
            if found.broken(way, self.born.name):
                raise Conflict("It broke.")
            self.home = target
            return Flight(1.5, 80, 2**27)

    monkeypatch.setattr(rounds, "Bird", Bird)
    return found


@pytest.fixture
def run(host_of: Callable[..., Host]) -> _Run:
    return _Run([host_of(name).pk for name in ("kvm1", "kvm2", "kvm3")])


def _fly(run: _Run) -> dict[str, Any]:
    return rounds.fly(run)  # type: ignore[arg-type]  # it needs no more


def test_one_bird_flies_all_of_it_where_nothing_is_broken(run: _Run, sky: _Sky) -> None:
    assert _fly(run) == {"flown": 6, "broken": 0}
    assert sky.hatched == ["kvm1"]
    assert len(set(sky.flown)) == 6
    assert "All 6 ways" in run.sentence


def test_a_broken_way_is_written_down_and_the_others_are_flown(
    run: _Run, sky: _Sky
) -> None:
    sky.broken = lambda way, _born: way == ("kvm2", "kvm3")

    assert _fly(run) == {"flown": 6, "broken": 1}
    bad = CanaryResult.objects.get(ok=False)
    assert (bad.source.name, bad.target.name, bad.sentence) == (
        "kvm2",
        "kvm3",
        "It broke.",
    )
    assert "kvm2 to kvm3" in run.sentence
    good = CanaryResult.objects.filter(ok=True, seconds=1.5, downtime_ms=80)
    assert good.count() == 5


def test_a_way_that_only_strangers_cannot_go_is_good(run: _Run, sky: _Sky) -> None:
    sky.broken = lambda way, born: way[0] != born

    assert _fly(run) == {"flown": 6, "broken": 0}


def test_one_that_is_taken_up_again_flies_only_what_is_left(
    run: _Run, sky: _Sky
) -> None:
    run.stop_after = 2
    with pytest.raises(Cancelled):
        _fly(run)
    before = list(sky.flown)
    run.stop_after = 99

    assert _fly(run)["flown"] == 6
    assert len(before) == 2
    assert len(sky.flown) == len(set(sky.flown)) == 6


def test_without_two_hosts_there_is_nothing_to_fly(run: _Run, sky: _Sky) -> None:
    Host.objects.exclude(name="kvm1").update(state=Host.State.DOWN)

    with pytest.raises(Conflict, match="two hosts"):
        _fly(run)
    assert not Canary.objects.exists()
