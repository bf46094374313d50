"""Two hosts tell of the same guests in any order: one home each, and nothing is lost."""

from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from guests import facts
from guests.columns import ACTIVE
from guests.models import Guest, Happening, Revision, Twin
from hosts.models import Host
from kvmweb.accounts.models import User
from kvmweb.virt.types import DomainFacts, DomainState, Lost
from tests.guests.conftest import domain

UUIDS = [UUID(int=number) for number in range(1, 4)]
SAID = [
    (DomainState.RUNNING, "booted"),
    (DomainState.SHUTOFF, "shutdown"),
    (DomainState.PAUSED, "user"),
    (DomainState.PAUSED, "migration"),
    (DomainState.CRASHED, "crashed"),
]
hosts = st.sampled_from([0, 1])
uuids = st.sampled_from(UUIDS)
said = st.sampled_from(SAID)
notes = st.sampled_from(["", "a", "b"])
LOST = Lost("It does not answer.", "", "host_unreachable")


class Fleet(RuleBasedStateMachine):
    """What two hosts truly have, told bit by bit; a host that is lost tells nothing."""

    @initialize()
    def begin(self) -> None:
        """Two empty hosts and somebody who will own all guests."""
        for model in (Happening, Revision, Twin, Guest, Host):
            model.objects.all().delete()
        self.owner = User.objects.get_or_create(username="uwe")[0]
        self.hosts = [
            Host.objects.create(name=f"kvm{n}", transport="test", state="up")
            for n in (1, 2)
        ]
        self.there: list[dict[UUID, DomainFacts]] = [{}, {}]
        self.lost = [False, False]
        self.owned: set[UUID] = set()
        self.known: dict[UUID, int] = {}

    @rule(host=hosts, uuid=uuids, said=said, note=notes)
    def changes(
        self, host: int, uuid: UUID, said: tuple[DomainState, str], note: str
    ) -> None:
        """A domain appears or changes there, and its host says so at once."""
        state, reason = said
        new = domain("web", state, uuid, note=note, reason=reason)
        self.there[host][uuid] = new
        if not self.lost[host]:
            facts.record_domain(self.hosts[host], new, "")

    @rule(host=hosts, uuid=uuids)
    def vanishes(self, host: int, uuid: UUID) -> None:
        """It is undefined there; told even where it was not."""
        self.there[host].pop(uuid, None)
        if not self.lost[host]:
            facts.record_vanished(self.hosts[host], uuid, "undefined")

    @rule(host=hosts)
    def looks(self, host: int) -> None:
        """Everything there is told again; the host is there, too."""
        self.lost[host] = False
        facts.record_look(self.hosts[host], list(self.there[host].values()))

    @rule(host=hosts, uuid=uuids)
    def looks_partly(self, host: int, uuid: UUID) -> None:
        """One of them is told again."""
        if not self.lost[host] and uuid in self.there[host]:
            one = self.there[host][uuid]
            facts.record_look(self.hosts[host], [one], complete=False)

    @rule(host=hosts)
    def is_lost(self, host: int) -> None:
        """The host does not answer any more."""
        self.lost[host] = True
        facts.host_lost(self.hosts[host], LOST)

    @rule(uuid=uuids)
    def is_given_away(self, uuid: UUID) -> None:
        """Somebody becomes its owner."""
        if Guest.objects.filter(pk=uuid).update(owner=self.owner):
            self.owned.add(uuid)

    @invariant()
    def everything_told_is_known(self) -> None:
        """On answering hosts each domain is at home or a twin, as it was told last."""
        places = {
            (it.pk, it.host_id): it.state
            for it in Guest.objects.exclude(state=DomainState.GONE)
        }
        twins = {(it.guest_id, it.host_id): it.state for it in Twin.objects.all()}
        assert not places.keys() & twins.keys()
        for at, host in enumerate(self.hosts):
            mine = {
                uuid: state
                for (uuid, home), state in {**places, **twins}.items()
                if home == host.pk
            }
            if self.lost[at]:
                assert set(mine.values()) <= {DomainState.UNKNOWN}
            else:
                told = {uuid: it.state.value for uuid, it in self.there[at].items()}
                assert mine == told

    @invariant()
    def a_running_guest_is_shown_running(self) -> None:
        """Wherever it runs, that is its home, unless both do."""
        for guest in Guest.objects.all():
            runs = [
                self.hosts[at].pk
                for at in (0, 1)
                if not self.lost[at]
                and (it := self.there[at].get(guest.pk))
                and it.state in ACTIVE
                and it.reason != "migration"
            ]
            if runs and guest.state not in ACTIVE:
                raise AssertionError(f"{guest} runs on {runs}, shown {guest.state}")

    @invariant()
    def what_is_ours_stays(self) -> None:
        """Owner and history never go."""
        assert {it.pk for it in Guest.objects.filter(owner=self.owner)} == self.owned
        for guest in Guest.objects.all():
            count = guest.happenings.count() + guest.revisions.count()
            assert count >= self.known.get(guest.pk, 1)
            self.known[guest.pk] = count

    @invariant()
    def the_same_look_changes_nothing(self) -> None:
        """What was told once is not news."""
        for at, host in enumerate(self.hosts):
            if not self.lost[at]:
                before = list(Guest.objects.values("pk", "state_since", "state"))
                happened = Happening.objects.count()
                facts.record_look(host, list(self.there[at].values()))
                assert (
                    list(Guest.objects.values("pk", "state_since", "state")) == before
                )
                assert Happening.objects.count() == happened


@pytest.mark.django_db
def test_any_order_of_news_from_two_hosts_leaves_each_guest_one_home() -> None:
    run_state_machine_as_test(
        Fleet,
        settings=settings(
            max_examples=12,
            stateful_step_count=16,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
