"""Before a move: the API and the pages say where a guest may go, why not, at what cost."""

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from guests.migration import known, questions, suspecting
from guests.migration.models import Move
from guests.migration.sides import Reason
from guests.models import Document, Guest
from hosts.models import Host, Network, Pool, Volume
from kvmweb.operations.models import Operation

pytestmark = pytest.mark.django_db
GIB = 1024**3
IMAGES = "/var/lib/libvirt/images"
XML = "<domain type='kvm'><name>{name}</name><cpu mode='custom'><model>EPYC</model></cpu></domain>"
_QUERIES = 25  # for any number of guests and hosts


@pytest.fixture(autouse=True)
def _redis(redis_server: str) -> None:
    """Samples and hints go there."""


def _host(name: str, **about: Any) -> Host:
    host = Host.objects.create(
        **{
            "name": name,
            "transport": "tcp",
            "address": f"{name}.example.org",
            "state": "up",
            "arch": "x86_64",
            "cpus": 16,
            "memory_bytes": 64 * GIB,
            "memory_free_bytes": 60 * GIB,
            "virt_types": ["kvm"],
            **about,
        }
    )
    Pool.objects.create(
        host=host,
        uuid=uuid4(),
        name="default",
        type="dir",
        active=True,
        autostart=True,
        persistent=True,
        target=IMAGES,
        capacity_bytes=500 * GIB,
        available_bytes=400 * GIB,
    )
    Network.objects.create(
        host=host,
        uuid=uuid4(),
        name="default",
        active=True,
        autostart=True,
        persistent=True,
    )
    return host


def _guest(name: str, host: Host, **about: Any) -> Guest:
    path = f"{IMAGES}/{name}.qcow2"
    disk = {
        "target": "vda",
        "device": "disk",
        "bus": "virtio",
        "kind": "file",
        "path": path,
        "pool": "",
        "volume": "",
        "format": "qcow2",
        "readonly": False,
        "shareable": False,
    }
    nic = {"mac": "52:54:00:00:00:01", "kind": "network", "network": "default"}
    guest = Guest.objects.create(
        **{
            "uuid": uuid4(),
            "name": name,
            "host": host,
            "state": "running",
            "memory_bytes": 2 * GIB,
            "vcpus": 2,
            "virt_type": "kvm",
            "arch": "x86_64",
            "disks": [disk],
            "nics": [nic],
            **about,
        }
    )
    Document.objects.create(guest=guest, xml=XML.format(name=name))
    Volume.objects.create(
        pool=host.pools.get(name="default"),
        name=f"{name}.qcow2",
        key=path,
        path=path,
        format="qcow2",
        capacity_bytes=20 * GIB,
        allocation_bytes=3 * GIB,
    )
    return guest


@pytest.fixture
def kvm1() -> Host:
    """Where the guest is."""
    return _host("kvm1")


@pytest.fixture
def kvm2() -> Host:
    """Where it could go."""
    return _host("kvm2")


@pytest.fixture
def web(kvm1: Host) -> Guest:
    """A running guest with a disk and a card."""
    return _guest("web", kvm1)


def _check(browser: Client, guest: Guest, host: Host | None = None) -> Any:
    query = f"?host={host.pk}" if host else ""
    return browser.get(f"/api/v1/guests/{guest.pk}/migration-check/{query}")


def test_it_has_the_promised_shape(as_operator: Client, web: Guest, kvm2: Host) -> None:
    (said,) = _check(as_operator, web).json()["hosts"]
    assert (said["host"], said["ok"], said["storage"]) == (kvm2.pk, True, "copy")
    assert said["reasons"] == []
    assert said["estimate"]["bytes"] == 3 * GIB + 2 * GIB
    assert said["estimate"]["seconds"] > 0
    assert said["estimate"]["downtime_ms"] > 0


def test_every_reason_has_a_code_a_sentence_and_what_mends_it(
    as_operator: Client, web: Guest, kvm2: Host
) -> None:
    kvm2.networks.update(active=False)
    Host.objects.filter(pk=kvm2.pk).update(memory_free_bytes=GIB)
    (said,) = _check(as_operator, web).json()["hosts"]
    assert not said["ok"]
    assert {each["code"] for each in said["reasons"]} == {"memory", "network_inactive"}
    assert all(set(each) == {"code", "message", "fix"} for each in said["reasons"])


def test_one_host_can_be_asked_about_its_own_too(
    as_operator: Client, web: Guest, kvm1: Host, kvm2: Host
) -> None:
    (said,) = _check(as_operator, web, kvm1).json()["hosts"]
    assert [each["code"] for each in said["reasons"]] == ["already_there"]
    assert _check(as_operator, web, kvm2).json()["hosts"][0]["host"] == kvm2.pk
    missing = as_operator.get(f"/api/v1/guests/{web.pk}/migration-check/?host=999")
    assert missing.status_code == 404


def test_an_owner_is_not_told_of_hosts(as_user: Client, user: Any, web: Guest) -> None:
    Guest.objects.filter(pk=web.pk).update(owner=user)
    assert _check(as_user, web).status_code == 403
    assert as_user.get(reverse("guest-move", args=[web.pk])).status_code == 403
    assert as_user.get(reverse("guest-moves")).status_code == 403


def test_what_was_proved_and_what_both_hosts_said_is_remembered(
    web: Guest, kvm1: Host, kvm2: Host
) -> None:
    known.keep_proof(kvm2, kvm1, IMAGES, ok=True, sentence="Seen.")
    (check,) = _to(web, kvm2)
    assert (check.ok, check.storage) == (True, "shared")
    said = Reason("cpu", "It cannot.", "Change it.")
    known.keep_asking(web, kvm2, live=True, reasons=[said])
    (check,) = _to(web, kvm2)
    assert check.reasons == (said,)
    assert check.asked_at is not None
    known.keep_asking(web, kvm2, live=True, reasons=[])
    assert _to(web, kvm2)[0].ok


def test_what_earlier_moves_took_makes_the_estimate(
    web: Guest, kvm1: Host, kvm2: Host
) -> None:
    known.keep_proof(kvm1, kvm2, IMAGES, ok=True, sentence="Seen.")
    before = _to(web, kvm2)[0].estimate
    assert "not measured yet" in before.why
    for _ in range(3):
        _moved(web, kvm1, kvm2, total_ms=1400, sent=100 << 20, rate=200 << 20)
    known.keep_pace(web.pk, dirty_bytes_s=0)
    after = _to(web, kvm2)[0].estimate
    assert after.seconds == pytest.approx(1.4, rel=0.1)
    assert after.downtime_ms == 80
    assert "not measured" not in after.why


def test_checks_cost_a_fixed_number_of_queries(
    kvm1: Host, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    guests = [_guest(f"web-{number}", kvm1) for number in range(3)]
    with django_assert_max_num_queries(_QUERIES) as few:
        questions.checks(guests)
    for number in range(6):
        _host(f"kvm-{number}")
    guests += [_guest(f"db-{number}", kvm1) for number in range(20)]
    with django_assert_max_num_queries(_QUERIES) as many:
        found = questions.checks(guests)
    assert len(many.captured_queries) == len(few.captured_queries)
    assert {len(each) for each in found.values()} == {7}


def test_the_dialog_shows_every_host_with_its_reasons_and_cost(
    as_operator: Client, web: Guest, kvm2: Host
) -> None:
    _host("kvm3", maintenance=True)
    page = as_operator.get(reverse("guest-move", args=[web.pk])).content.decode()
    assert "Move to kvm2" in page
    assert "Move to kvm3" not in page
    assert "kvm3 is in maintenance." in page
    assert "standing still for about" in page
    assert "Prove it" in page
    assert page.index("kvm2</h2>") < page.index("kvm3</h2>")


def test_the_button_of_a_host_begins_the_move(
    as_operator: Client, web: Guest, kvm2: Host
) -> None:
    address = reverse("guest-move", args=[web.pk])
    answer = as_operator.post(address, {"host": kvm2.pk, "mode": "live"})
    operation = Operation.objects.get(kind="guest.migrate")
    assert answer.status_code == 302
    assert answer["Location"] == operation.get_absolute_url()
    assert operation.params["target"] == kvm2.pk


def test_what_was_chosen_stands_when_it_is_refused(
    as_operator: Client, web: Guest, kvm2: Host
) -> None:
    address = reverse("guest-move", args=[web.pk])
    told = {"host": kvm2.pk, "mode": "offline", "bandwidth_mib_s": "37"}
    answer = as_operator.post(address, told)
    assert answer.status_code == 422
    assert 'value="37"' in answer.content.decode()
    assert "Shut it down first" in answer.content.decode()
    assert not Operation.objects.exists()


@pytest.mark.parametrize(
    ("mend", "kind"),
    [
        ("{host}:prove:" + IMAGES, "guest.check-move"),
        ("{host}:check:", "guest.check-move"),
        ("{host}:start-network:default", "network.start"),
        ("{host}:start-pool:default", "pool.start"),
    ],
)
def test_a_button_mends_what_speaks_against_a_host(
    as_admin: Client, web: Guest, kvm2: Host, mend: str, kind: str
) -> None:
    kvm2.networks.update(active=False)
    kvm2.pools.update(active=False)
    answer = _mended(as_admin, web, mend.format(host=kvm2.pk))
    assert answer.status_code == 302
    assert [each.kind for each in Operation.objects.all()] == [kind]


@pytest.mark.parametrize("mend", ["", "x", "{host}:fly:", "999:check:", "{host}"])
def test_a_button_that_is_none_does_nothing(
    as_admin: Client, web: Guest, kvm2: Host, mend: str
) -> None:
    answer = _mended(as_admin, web, mend.format(host=kvm2.pk))
    assert answer.status_code in {404, 422}
    assert not Operation.objects.exists()


def test_only_who_may_start_networks_is_offered_the_button(
    as_operator: Client, as_admin: Client, web: Guest, kvm2: Host
) -> None:
    kvm2.networks.update(active=False)
    address = reverse("guest-move", args=[web.pk])
    assert "Start it<" in as_admin.get(address).content.decode()
    assert "Start it<" not in as_operator.get(address).content.decode()
    answer = _mended(as_operator, web, f"{kvm2.pk}:start-network:default")
    assert answer.status_code == 403


def test_the_matrix_has_every_guest_and_every_host(
    as_operator: Client, kvm1: Host, kvm2: Host, web: Guest
) -> None:
    _guest("db", kvm2, state="shutoff")
    page = as_operator.get(reverse("guest-moves")).content.decode()
    for name in ("web", "db", "kvm1", "kvm2", "is here"):
        assert name in page
    found = as_operator.get(reverse("guest-moves") + "?search=web").content.decode()
    assert ">db<" not in found


def test_checking_now_locks_nothing(
    as_operator: Client, web: Guest, kvm2: Host
) -> None:
    address = f"/api/v1/guests/{web.pk}/migration-check/"
    said = as_operator.post(address, {}, content_type="application/json")
    assert said.status_code == 202
    operation = Operation.objects.get()
    assert operation.guest is None
    assert operation.params["hosts"] == [kvm2.pk]


def test_the_dialog_says_that_the_hosts_are_being_asked(
    as_operator: Client, web: Guest, kvm2: Host
) -> None:
    asked = "The hosts are being asked</a>"
    as_operator.post(reverse("guest-move-check", args=[web.pk]))
    other = as_operator.get(reverse("guest-move", args=[_guest("db", kvm2).pk]))
    assert asked not in other.content.decode()
    dialog = reverse("guest-move", args=[web.pk])
    assert asked in as_operator.get(dialog).content.decode()
    Operation.objects.update(state="succeeded")
    assert asked not in as_operator.get(dialog).content.decode()


def test_storage_that_looks_shared_is_tried_by_itself_and_once(
    web: Guest, kvm1: Host, kvm2: Host
) -> None:
    assert suspecting.look() == 0
    path = f"{IMAGES}/web.qcow2"
    pool = kvm2.pools.get(name="default")
    Volume.objects.create(pool=pool, name="web.qcow2", key=path, path=path)
    assert suspecting.look() == 1
    operation = Operation.objects.get()
    assert (operation.kind, operation.guest) == ("host.prove-shared", None)
    assert operation.params["path"] == IMAGES
    assert suspecting.look() == 0
    Operation.objects.all().delete()
    known.keep_proof(kvm1, kvm2, IMAGES, ok=False, sentence="Not seen.")
    assert suspecting.look() == 0


def _to(guest: Guest, host: Host) -> list[questions.Check]:
    return questions.checks([guest], [host])[guest.pk]


def _mended(browser: Client, guest: Guest, mend: str) -> Any:
    address = reverse("guest-move-mend", args=[guest.pk])
    return browser.post(address, {"mend": mend})


def _moved(
    guest: Guest, source: Host, target: Host, *, total_ms: int, sent: int, rate: int
) -> None:
    Move.objects.create(
        operation=uuid4(),
        guest=guest.pk,
        guest_name=guest.name,
        source=source,
        source_name=source.name,
        target=target,
        target_name=target.name,
        mode="live",
        storage="shared",
        total_ms=total_ms,
        downtime_ms=80,
        transferred_bytes=sent,
        memory_rate_bytes_s=rate,
        iterations=2,
        outcome="succeeded",
        finished_at=timezone.now(),
    )
