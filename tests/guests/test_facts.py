"""What hosts say becomes rows, once, whatever they say."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from guests import facts
from guests.models import Document, Guest, Happening, Revision, Twin
from hosts.models import Host
from kvmweb.operations.models import Operation
from kvmweb.virt.types import AddressFacts, DomainState, Lost
from tests.guests.conftest import disk, domain, nic, only, what

RUNNING, SHUTOFF = DomainState.RUNNING, DomainState.SHUTOFF
PAUSED, GONE, UNKNOWN = DomainState.PAUSED, DomainState.GONE, DomainState.UNKNOWN
LOST = Lost("It does not answer.", "", "host_unreachable")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, dict[str, Any]]]:
    """The news that went out."""
    found: list[tuple[str, str, dict[str, Any]]] = []
    monkeypatch.setattr("guests.book.news.publish_many", found.extend)
    return found


def test_a_look_makes_rows_of_what_is_there(kvm1: Host) -> None:
    facts.record_look(
        kvm1,
        [
            domain(
                "web",
                RUNNING,
                disks=(disk("/images/web.qcow2"),),
                nics=(nic(addresses=(AddressFacts("10.0.0.5", "lease"),)),),
            ),
            domain("db"),
        ],
    )
    web = Guest.objects.get(name="web")
    assert (web.host, web.state, web.vcpus, web.memory_bytes) == (
        kvm1,
        "running",
        2,
        1024**3,
    )
    assert web.addresses == " 10.0.0.5 "
    assert web.disks[0]["path"] == "/images/web.qcow2"
    assert web.uses == ["/images/web.qcow2"]
    assert web.document.xml.startswith("<domain")
    assert Guest.objects.get(name="db").state == "shutoff"
    assert what(web) == ["found"]
    assert [each.author for each in web.revisions.all()] == ["outside kvmweb"]


def test_the_same_look_again_writes_and_tells_nothing(
    kvm1: Host, told: list[Any]
) -> None:
    seen = [domain(f"guest-{number}", RUNNING) for number in range(3)]
    facts.record_look(kvm1, seen)
    before = list(Guest.objects.values_list("pk", "state_since", "first_seen_at"))
    told.clear()
    facts.record_look(kvm1, seen)
    assert told == []
    after = Guest.objects.values_list("pk", "state_since", "first_seen_at")
    assert list(after) == before
    assert Happening.objects.count() == Revision.objects.count() == 3


@pytest.mark.parametrize("count", [1, 300])
def test_a_look_costs_a_few_queries_however_much_is_there(
    kvm1: Host, count: int
) -> None:
    seen = [domain(f"guest-{number}", RUNNING) for number in range(count)]
    with CaptureQueriesContext(connection) as first:
        facts.record_look(kvm1, seen)
    # SQLite takes new rows in batches of what fits its 999 parameters.
    assert len([q for q in first if "SAVEPOINT" not in q["sql"]]) <= 17 + count // 8
    with CaptureQueriesContext(connection) as again:
        facts.record_look(kvm1, seen)
    assert len([q for q in again if "SAVEPOINT" not in q["sql"]]) <= 6


def test_what_changed_is_told_to_the_list_and_the_page(
    kvm1: Host, told: list[Any]
) -> None:
    web = domain("web")
    facts.record_look(kvm1, [web, domain("db")])
    told.clear()
    facts.record_domain(kvm1, replace(web, state=RUNNING), "started")
    topics = [(topic, kind) for topic, kind, _ in told]
    assert topics == [("guests", "state"), (f"guest:{web.uuid}", "state")]
    data = told[0][2]
    assert (data["state"], data["name"], data["host_name"]) == (
        "running",
        "web",
        "kvm1",
    )
    assert what(only_named("web")) == ["found", "started"]


def only_named(name: str) -> Guest:
    return Guest.objects.get(name=name)


@pytest.mark.parametrize(
    ("before", "after", "reason", "happened"),
    [
        (SHUTOFF, RUNNING, "booted", "started"),
        (RUNNING, SHUTOFF, "shutdown", "shut down"),
        (RUNNING, SHUTOFF, "destroyed", "forced off"),
        (RUNNING, SHUTOFF, "saved", "saved"),
        (RUNNING, DomainState.CRASHED, "crashed", "crashed"),
        (RUNNING, PAUSED, "user", "paused"),
        (PAUSED, RUNNING, "unpaused", "resumed"),
        (RUNNING, DomainState.SUSPENDED, "", "suspended"),
        (DomainState.SUSPENDED, RUNNING, "wakeup", "resumed"),
        (DomainState.CRASHED, RUNNING, "booted", "started"),
    ],
)
def test_history_says_what_befell_it(
    kvm1: Host, before: DomainState, after: DomainState, reason: str, happened: str
) -> None:
    web = domain("web", before)
    facts.record_domain(kvm1, web, "")
    facts.record_domain(kvm1, replace(web, state=after, reason=reason), "")
    assert what(only()) == ["found", happened]


def test_what_vanishes_is_gone_and_comes_back_with_all_that_is_ours(
    kvm1: Host, user: Any, told: list[Any]
) -> None:
    web = domain("web", RUNNING)
    facts.record_look(kvm1, [web])
    Guest.objects.update(owner=user, tags=["prod"], tag_words=" prod ", protected=True)
    told.clear()
    facts.record_look(kvm1, [])
    assert only().state == GONE
    assert ("guests", "removed") in [(topic, kind) for topic, kind, _ in told]
    facts.record_look(kvm1, [web])
    guest = only()
    assert (guest.state, guest.owner, guest.tags) == ("running", user, ["prod"])
    assert guest.protected
    assert what(guest) == ["found", "gone", "back"]
    assert guest.revisions.count() == 1


def test_a_partial_look_loses_nothing(kvm1: Host) -> None:
    facts.record_look(kvm1, [domain("web"), domain("db")])
    facts.record_look(kvm1, [domain("new")], complete=False)
    assert not Guest.objects.filter(state=GONE).exists()


def test_a_new_uuid_under_an_old_name_is_a_new_guest_without_owner(
    kvm1: Host, user: Any
) -> None:
    facts.record_look(kvm1, [domain("web")])
    Guest.objects.update(owner=user)
    facts.record_look(kvm1, [domain("web")])
    old, new = Guest.objects.get(state=GONE), Guest.objects.exclude(state=GONE).get()
    assert (old.owner, new.owner) == (user, None)


def test_a_rename_keeps_the_guest(kvm1: Host) -> None:
    web = domain("web")
    facts.record_domain(kvm1, web, "")
    facts.record_domain(kvm1, domain("www", uuid=web.uuid), "renamed")
    assert only().name == "www"
    assert what(only()) == ["found", "renamed"]


def test_a_lost_host_makes_states_unknown_and_keeps_what_was_known(
    kvm1: Host, told: list[Any]
) -> None:
    web = domain("web", RUNNING)
    facts.record_look(kvm1, [web])
    since = only().state_since
    told.clear()
    facts.host_lost(kvm1, LOST)
    facts.host_lost(kvm1, LOST)
    guest = only()
    assert (guest.state, guest.known_state, guest.known_since) == (
        UNKNOWN,
        "running",
        since,
    )
    assert len(told) == 2
    facts.record_look(kvm1, [web])
    guest = only()
    assert (guest.state, guest.state_since, guest.known_state) == ("running", since, "")
    assert what(guest) == ["found"]


def test_what_changed_while_the_host_was_lost_is_history(kvm1: Host) -> None:
    web = domain("web", RUNNING)
    facts.record_look(kvm1, [web])
    facts.host_lost(kvm1, LOST)
    facts.record_look(kvm1, [replace(web, state=SHUTOFF, reason="shutdown")])
    assert what(only()) == ["found", "shut down"]


def test_each_version_of_its_document_is_kept_with_its_author(
    kvm1: Host, admin: Any
) -> None:
    web = domain("web", note="one")
    facts.record_domain(kvm1, web, "")
    facts.record_domain(kvm1, domain("web", uuid=web.uuid, note="two"), "")
    done = Operation.objects.create(
        kind="guest.edit",
        guest=web.uuid,
        author="anna",
        requested_by=admin,
        state=Operation.State.SUCCEEDED,
        finished_at=timezone.now(),
    )
    facts.record_domain(kvm1, domain("web", uuid=web.uuid, note="three"), "")
    versions = [(it.number, it.author, it.operation) for it in Revision.objects.all()]
    assert versions == [
        (3, "anna", done.pk),
        (2, "outside kvmweb", None),
        (1, "outside kvmweb", None),
    ]


def test_what_libvirt_fills_in_is_no_new_version(kvm1: Host) -> None:
    web = domain("web")
    facts.record_domain(kvm1, web, "")
    labelled = web.inactive_xml.replace(
        "<os>",
        "<metadata><k:guest xmlns:k='urn:kvmweb:1' owner='uwe'/></metadata>\n<os>",
    )
    running = web.xml.replace("<domain", "<domain id='3'")
    facts.record_domain(
        kvm1, replace(web, state=RUNNING, xml=running, inactive_xml=labelled), ""
    )
    assert Revision.objects.count() == 1
    assert only().owner is None  # ownership in a document is never believed
    assert Document.objects.get().inactive_xml == labelled


def test_what_we_did_is_told_from_what_others_did(kvm1: Host, admin: Any) -> None:
    web = domain("web")
    facts.record_domain(kvm1, web, "")
    ours = Operation.objects.create(
        kind="guest.start", guest=web.uuid, state=Operation.State.RUNNING
    )
    facts.record_domain(kvm1, replace(web, state=RUNNING), "")
    facts.record_domain(kvm1, replace(web, state=SHUTOFF, reason="destroyed"), "")
    happened = {it.what: it.operation for it in Happening.objects.all()}
    assert happened == {"found": None, "started": ours.pk, "forced off": None}


def test_a_guest_that_runs_otherwise_than_defined_says_so(kvm1: Host) -> None:
    web = domain("web", RUNNING)
    more = web.inactive_xml.replace("<vcpu>2", "<vcpu>4")
    facts.record_domain(kvm1, replace(web, inactive_xml=more), "")
    assert only().differs


POISON = [
    {"name": "a\0b"},
    {"name": "x" * 10_000},
    {"name": "half \ud800 pair"},
    {"name": "<script>alert(1)</script>"},
    {"description": "\0" * 1_000_000},
    {"title": "\udfff" * 500, "os": "o" * 1000, "machine": "m" * 1000},
    {"memory_bytes": 2**70, "memory_max_bytes": -5, "vcpus": 2**40, "snapshots": -1},
    {"xml": "<domain>" + "x" * 10_000_000, "inactive_xml": "]]>\0\ud800"},
    {"disks": tuple(disk("/d\0\ud800" * 5000, f"vd{n}") for n in range(1000))},
    {"nics": (nic(addresses=(AddressFacts("\0 fe80::1 \ud800", "agent"),)),)},
    {"problem": "p\0" * 100_000, "reason": "r" * 1000, "arch": "a" * 500},
]


@pytest.mark.parametrize("poison", POISON, ids="+".join)
def test_a_poisoned_domain_harms_only_itself(
    kvm1: Host, poison: dict[str, Any]
) -> None:
    bad = replace(domain("bad", RUNNING), **poison)
    facts.record_look(kvm1, [domain("before"), bad, domain("after")])
    assert Guest.objects.count() == 3
    assert Guest.objects.get(pk=bad.uuid).state == "running"
    facts.record_domain(kvm1, replace(bad, state=SHUTOFF), "")
    assert Guest.objects.get(pk=bad.uuid).state == "shutoff"
    facts.record_look(kvm1, [bad])
    assert Guest.objects.filter(state=GONE).count() == 2


def test_nobody_is_told_of_a_guest_nobody_knows(kvm1: Host, told: list[Any]) -> None:
    facts.record_vanished(kvm1, uuid4(), "undefined")
    assert told == []
    assert not Guest.objects.exists()
    assert not Twin.objects.exists()
