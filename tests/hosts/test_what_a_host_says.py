"""News of a host becomes rows, once; what is odd harms only itself."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test.utils import CaptureQueriesContext

from guests.models import Guest
from hosts import recorders
from hosts.models import Host, Network, Pool, Volume
from hosts.watcher import recording
from hosts.watcher.recording import LeaseLost, record, settle
from kvmweb.live import news
from kvmweb.virt.types import (
    DomainFacts,
    DomainSeen,
    DomainState,
    DomainVanished,
    Lost,
    StorageSeen,
)
from tests.guests.conftest import domain
from tests.hosts.conftest import ME, host_facts, look, network, pool, volume


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, Any]]:
    """What live pages were told."""
    heard: list[tuple[str, str, Any]] = []
    monkeypatch.setattr(news, "publish_many", heard.extend)
    monkeypatch.setattr(news, "publish", lambda *one: heard.append(one))
    return heard


def states() -> dict[str, str]:
    """Every guest's state by name."""
    return dict(Guest.objects.values_list("name", "state"))


def test_a_look_fills_the_rows(watched: Host) -> None:
    record(watched.pk, ME, [look(domains=(domain("web", DomainState.RUNNING),))])
    watched.refresh_from_db()
    assert (watched.state, watched.cpus, watched.virt_type) == ("up", 8, "kvm")
    assert watched.hostname == "kvm1.example.org"
    assert watched.seen_at is not None
    assert watched.numa[0]["cpus"] == list(range(8))
    assert Pool.objects.get().name == "default"
    assert Volume.objects.get().path == "/var/lib/libvirt/images/web.qcow2"
    assert Network.objects.get().bridge == "virbr0"
    assert states() == {"web": "running"}


def test_the_same_look_again_writes_no_pool_and_tells_nobody(
    watched: Host,
    told: list[tuple[str, str, Any]],
    django_assert_max_num_queries: Any,
) -> None:
    same = look()
    record(watched.pk, ME, [same])
    settle(watched.pk)
    said = [topic for topic, kind, _ in told if kind == "state"]
    assert said == ["hosts", watched.topic]
    told.clear()
    with django_assert_max_num_queries(30) as asked:
        record(watched.pk, ME, [same])
        settle(watched.pk)
    changes = [q["sql"] for q in _writing(asked) if "hosts_host" not in q["sql"]]
    assert not changes
    assert not told


def test_what_changes_is_changed_and_what_went_goes(watched: Host) -> None:
    two = pool(volume("a"), volume("b"))
    record(watched.pk, ME, [look(pools=(two,))])
    kept = Volume.objects.get(name="a").pk
    bigger = volume("a", capacity_bytes=5)
    record(watched.pk, ME, [StorageSeen((pool(bigger, volume("c")),))])
    assert set(Volume.objects.values_list("name", flat=True)) == {"a", "c"}
    assert Volume.objects.get(name="a").pk == kept
    assert Volume.objects.get(name="a").capacity_bytes == 5
    record(watched.pk, ME, [StorageSeen(())])
    assert not Pool.objects.exists()


def test_volumes_of_a_pool_that_sleeps_are_still_known(watched: Host) -> None:
    record(watched.pk, ME, [look(pools=(pool(volume("a")),))])
    record(watched.pk, ME, [StorageSeen((pool(active=False),))])
    assert not Pool.objects.get().active
    assert Volume.objects.get().name == "a"


def test_a_look_to_which_storage_and_networks_did_not_answer_takes_nothing_away(
    watched: Host,
) -> None:
    record(watched.pk, ME, [look()])
    unknown = {"pools_known": False, "networks_known": False}
    record(watched.pk, ME, [look(pools=(), networks=(), **unknown)])
    assert (Pool.objects.count(), Network.objects.count()) == (1, 1)


def test_a_lost_host_says_since_when_and_its_guests_are_unknown(watched: Host) -> None:
    record(watched.pk, ME, [look(domains=(domain("web", DomainState.RUNNING),))])
    record(watched.pk, ME, [Lost("The connection was refused.", "Start it.", "x")])
    watched.refresh_from_db()
    assert (watched.state, watched.error) == ("down", "The connection was refused.")
    assert states() == {"web": "unknown"}
    since = watched.state_since
    record(watched.pk, ME, [Lost("It did not answer.", "", "x")])
    watched.refresh_from_db()
    assert (watched.state_since, watched.error) == (since, "It did not answer.")


def test_news_between_loss_and_the_next_look_is_not_believed(watched: Host) -> None:
    web = domain("web", DomainState.RUNNING)
    record(watched.pk, ME, [look(domains=(web,)), Lost("Gone.", "", "x")])
    record(watched.pk, ME, [DomainSeen(web, "started")])
    assert states() == {"web": "unknown"}
    record(watched.pk, ME, [look(domains=(web,))])
    assert states() == {"web": "running"}


def test_who_lost_the_lease_writes_nothing(watched: Host) -> None:
    with pytest.raises(LeaseLost):
        record(watched.pk, "another", [look()])
    assert not Pool.objects.exists()


def test_the_same_machine_twice_is_said_in_words(watched: Host) -> None:
    machine = uuid4()
    other = Host.objects.create(name="kvm2", transport="test", watcher=ME)
    web = domain("web", DomainState.RUNNING)
    both = look(host=host_facts(machine), domains=(web,))
    record(watched.pk, ME, [both])
    record(other.pk, ME, [both])
    other.refresh_from_db()
    assert other.state == "down"
    assert "same machine as kvm1" in other.error
    assert Guest.objects.get().host == watched
    watched.delete()
    record(other.pk, ME, [both])
    other.refresh_from_db()
    assert (other.state, other.error) == ("up", "")


@pytest.fixture
def poison() -> Iterator[UUID]:
    """A UUID at which a recorder of looks and of single domains breaks."""
    uuid = uuid4()

    def break_at(domains: Any) -> None:
        if any(each.uuid == uuid and each.xml for each in domains):
            raise ValueError("poisoned")

    def of_look(_host: Host, domains: Any, *, complete: bool) -> None:
        break_at(domains)

    def of_domain(_host: Host, facts: DomainFacts, _event: str) -> None:
        break_at([facts])

    recorders.recorder("look")(of_look)
    recorders.recorder("domain")(of_domain)
    yield uuid
    recorders._recorders["look"].remove(of_look)
    recorders._recorders["domain"].remove(of_domain)


def test_a_poisoned_document_harms_only_its_guest(
    watched: Host, poison: UUID, caplog: pytest.LogCaptureFixture
) -> None:
    recording._said.clear()
    good = domain("good", DomainState.RUNNING)
    bad = domain("bad", DomainState.RUNNING, poison)
    gone = domain("gone", DomainState.RUNNING)
    record(watched.pk, ME, [look(domains=(good, gone))])
    for _ in range(3):
        record(watched.pk, ME, [look(domains=(good, bad))])
    assert states() == {"good": "running", "bad": "running", "gone": "gone"}
    row = Guest.objects.get(pk=poison)
    assert row.problem
    assert row.disks == []
    assert len([r for r in caplog.records if str(poison) in r.getMessage()]) == 1
    paused = replace(bad, state=DomainState.PAUSED)
    record(watched.pk, ME, [DomainSeen(paused, "suspended")])
    assert states()["bad"] == "paused"


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "x" * 5000, "é", "<b>", ""])
def test_any_name_a_host_gives_is_taken(watched: Host, name: str) -> None:
    odd = look(
        pools=(pool(volume(name), name=name),),
        networks=(network(name=name, bridge=name),),
        domains=(domain("web"), domain(name.replace("\0", "").replace("\ud800", ""))),
        host=host_facts(hostname=name, cpu_model=name, cpus=2**40),
    )
    record(watched.pk, ME, [odd])
    watched.refresh_from_db()
    assert watched.state == "up"
    assert Pool.objects.count() == Network.objects.count() == 1
    assert Guest.objects.count() == 2


def test_a_domain_that_vanishes_is_gone(watched: Host) -> None:
    web = domain("web", DomainState.RUNNING)
    record(watched.pk, ME, [look(domains=(web,))])
    record(watched.pk, ME, [DomainVanished(web.uuid, "undefined")])
    assert states() == {"web": "gone"}


def _writing(asked: CaptureQueriesContext) -> list[dict[str, str]]:
    words = ("INSERT", "UPDATE", "DELETE")
    return [q for q in asked.captured_queries if q["sql"].startswith(words)]
