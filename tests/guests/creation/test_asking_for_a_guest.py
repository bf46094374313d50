"""POST guests/ and guests/preview/: what is accepted, promised and refused, and why."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from guests.creation.plan import plan_of
from guests.images.models import Seed
from guests.models import Guest
from hosts.models import Host, HostDevice, Network, Pool
from hosts.storage import holdings
from kvmweb.accounts.models import User
from kvmweb.operations.models import Operation
from tests.guests.creation.conftest import GIB, GUESTS, body, network_of, volume_of


def test_it_becomes_an_operation_on_the_chosen_host(
    ask: Callable[..., Any], kvm1: Host, redis_server: str
) -> None:
    answer = ask(body(tags=["db"], description="A database", host=kvm1.pk))
    assert answer.status_code == 202, answer.content
    operation = Operation.objects.get(kind="guest.create")
    assert answer["Location"] == f"/api/v1/operations/{operation.pk}/"
    assert (operation.guest_name, operation.host) == ("web", kvm1.pk)
    plan = plan_of(operation.params["plan"])
    blueprint = plan.blueprint
    assert blueprint.uuid == operation.guest
    assert (blueprint.vcpus, blueprint.memory_bytes) == (2, 2 * GIB)
    assert (blueprint.owner, blueprint.tags) == ("anna", ("db",))
    assert [volume.path for volume in plan.volumes] == ["/default-pool/web.qcow2"]
    assert blueprint.disks[0].path == "/default-pool/web.qcow2"
    assert blueprint.nics[0].network == "default"
    assert not Guest.objects.exists()


def test_names_and_ids_say_the_same(
    ask: Callable[..., Any], kvm1: Host, kvm2: Host, redis_server: str
) -> None:
    pool = Pool.objects.get(host=kvm2)
    network = Network.objects.get(host=kvm2)
    told = body(
        disks=[{"size_bytes": GIB, "pool": pool.pk}], nics=[{"network": network.pk}]
    )
    assert ask(told).status_code == 202
    assert Operation.objects.get().host == kvm2.pk
    told = body(
        name="db",
        host="kvm1",
        disks=[{"size_bytes": GIB, "pool": "default"}],
        nics=[{"network": "default"}],
    )
    assert ask(told).status_code == 202
    assert Operation.objects.get(guest_name="db").host == kvm1.pk


@pytest.mark.parametrize(
    ("wrong", "part"),
    [
        ({"name": "-rf"}, "name"),
        ({"name": "Web"}, "name"),
        ({"name": "x" * 62, "count": 3}, "name"),
        ({"vcpus": -1}, "vcpus"),
        ({"vcpus": 0}, "vcpus"),
        ({"vcpus": 2**40}, "vcpus"),
        ({"memory_bytes": 0}, "memory_bytes"),
        ({"memory_bytes": 2**62}, "memory_bytes"),
        ({"count": 0}, "count"),
        ({"count": 51}, "count"),
        ({"disks": [{}]}, "disks.0.size_bytes"),
        ({"disks": [{"size_bytes": -1}]}, "disks.0.size_bytes"),
        ({"disks": [{"size_bytes": 2**60}]}, "disks.0.size_bytes"),
        ({"disks": [{"size_bytes": GIB, "bus": "ide"}]}, "disks.0.bus"),
        ({"disks": [{"size_bytes": GIB, "pool": "no"}]}, "disks.0.pool"),
        ({"disks": [{"volume": 99999}]}, "disks.0.volume"),
        ({"disks": [{"volume": "/etc/passwd"}]}, "disks.0.volume"),
        ({"disks": [{"image": "no"}]}, "disks.0.image"),
        (
            {"disks": [{"size_bytes": GIB, "limits": {"read_iops": -5}}]},
            "disks.0.limits.read_iops",
        ),
        ({"nics": [{}]}, "nics.0.network"),
        ({"nics": [{"network": "nowhere"}]}, "nics.0.network"),
        ({"nics": [{"network": "default", "mac": "ff:ff:ff:ff:ff:ff"}]}, "nics.0.mac"),
        ({"nics": [{"bridge": "br0"}]}, "nics.0.bridge"),
        ({"cdrom": 4711}, "cdroms.0"),
        ({"host": "nowhere"}, "host"),
        ({"os": "windows eleven"}, "os"),
        ({"firmware": "coreboot"}, "firmware"),
        ({"cpu": {"mode": "named"}}, "cpu.model"),
        ({"cpu": {"mode": "", "sockets": 3, "cores": 1, "threads": 1}}, "cpu.sockets"),
        ({"vcpus_max": 1}, "vcpus_max"),
        ({"memory_max_bytes": GIB}, "memory_max_bytes"),
        ({"boot": ["floppy"]}, "boot"),
        ({"tags": ["not a tag"]}, "tags"),
        ({"title": "two\nlines"}, "title"),
        ({"owner": "nobody-here"}, "owner"),
        ({"shares": [{"path": "etc", "tag": "x"}]}, "shares"),
        ({"host_devices": [12345]}, "host_devices.0"),
        ({"watchdog": "bark"}, "watchdog"),
        ({"cloud_init": {"user": "Root!"}}, "cloud_init.user"),
        ({"cloud_init": {"user_data": "no yaml: ["}}, "cloud_init.user_data"),
        ({"surprise": 1}, "surprise"),
        ({"project": 3}, "project"),
    ],
)
def test_what_cannot_be_is_refused_at_its_part(
    ask: Callable[..., Any], kvm1: Host, wrong: dict[str, Any], part: str
) -> None:
    for path in ("", "preview/"):
        answer = ask(body(**wrong), path)
        assert answer.status_code == 422, answer.content
        assert part in answer.json()["errors"], answer.json()
    assert not Operation.objects.exists()


def test_a_host_for_all_of_it_or_a_reason_of_each(
    ask: Callable[..., Any], kvm1: Host, kvm2: Host
) -> None:
    Host.objects.filter(pk=kvm2.pk).update(maintenance=True)
    answer = ask(body(memory_bytes=40 * GIB))
    assert answer.status_code == 409
    detail = answer.json()["detail"]
    assert "kvm1: It has 32 GiB of memory, 40 GiB are wanted." in detail
    assert "kvm2: It is in maintenance." in detail
    assert answer.json()["code"] == "no_host_fits"


def test_a_name_that_is_taken_there_or_on_its_way_is_refused(
    ask: Callable[..., Any], kvm1: Host, redis_server: str
) -> None:
    Guest.objects.create(
        uuid="0b5a7c7e-4b6c-4c8e-9a53-0c6d6f1d2a11",
        name="old",
        host=kvm1,
        state="shutoff",
    )
    assert ask(body(name="old")).status_code == 409
    assert ask(body()).status_code == 202
    answer = ask(body())
    assert answer.status_code == 409
    assert "has a guest web already" in answer.json()["detail"]
    Guest.objects.update(state="gone")
    assert ask(body(name="old")).status_code == 202


def test_what_is_promised_is_not_promised_again(
    ask: Callable[..., Any], kvm1: Host, redis_server: str
) -> None:
    assert ask(body(name="a", memory_bytes=20 * GIB)).status_code == 202
    answer = ask(body(name="b", memory_bytes=20 * GIB))
    assert answer.status_code == 409
    assert "12 GiB of memory left" in answer.json()["detail"]
    Operation.objects.update(state="failed")
    assert ask(body(name="b", memory_bytes=20 * GIB)).status_code == 202


def test_a_volume_that_is_there_becomes_a_disk_of_one_guest(
    ask: Callable[..., Any], kvm1: Host, kvm2: Host, redis_server: str
) -> None:
    volume = volume_of(Pool.objects.get(host=kvm2), "data.qcow2")
    told = body(disks=[{"volume": volume.pk}])
    assert ask(told).status_code == 202
    operation = Operation.objects.get()
    assert operation.host == kvm2.pk
    assert plan_of(operation.params["plan"]).changes == (volume.path,)
    answer = ask(body(name="other", disks=[{"volume": volume.pk}]))
    assert answer.status_code == 409
    assert answer.json()["operation"] == str(operation.pk)


def test_a_volume_in_use_building_or_in_the_trash_is_refused(
    ask: Callable[..., Any], kvm1: Host, redis_server: str
) -> None:
    volume = volume_of(Pool.objects.get(host=kvm1), "data.qcow2")
    told = body(disks=[{"volume": volume.pk}])
    guest = Guest.objects.create(
        uuid="0b5a7c7e-4b6c-4c8e-9a53-0c6d6f1d2a11",
        name="db",
        host=kvm1,
        state="shutoff",
        uses=[volume.path],
    )
    answer = ask(told)
    assert answer.status_code == 409
    assert "used by db" in answer.json()["detail"]
    guest.delete()
    maker = Operation.objects.create(kind="volume.create", state="running")
    holdings.building(kvm1, volume.path, maker)
    answer = ask(told)
    assert answer.status_code == 409
    assert "not whole" in answer.json()["detail"]
    assert ask(body(disks=[], cdrom=volume.pk)).status_code == 409


def test_parts_on_different_hosts_fit_nowhere(
    ask: Callable[..., Any], kvm1: Host, kvm2: Host
) -> None:
    one = volume_of(Pool.objects.get(host=kvm1), "a.qcow2")
    two = volume_of(Pool.objects.get(host=kvm2), "b.qcow2")
    answer = ask(body(disks=[{"volume": one.pk}, {"volume": two.pk}]))
    assert answer.status_code == 409
    assert "a.qcow2 is on kvm1" in answer.json()["detail"]
    assert "b.qcow2 is on kvm2" in answer.json()["detail"]


def test_fifty_are_children_of_one_operation_and_spread(
    ask: Callable[..., Any], kvm1: Host, kvm2: Host, redis_server: str
) -> None:
    answer = ask(body(count=50, memory_bytes=16 * 1024**2))
    assert answer.status_code == 202, answer.content
    parent = Operation.objects.get(pk=answer.json()["id"])
    children = list(Operation.objects.filter(parent=parent).order_by("guest_name"))
    assert [child.guest_name for child in children] == [
        f"web-{number:02}" for number in range(1, 51)
    ]
    hosts = [child.host for child in children]
    assert hosts.count(kvm1.pk) == hosts.count(kvm2.pk) == 25
    assert len({child.guest for child in children}) == 50
    macs = {plan_of(child.params["plan"]).blueprint.nics[0].mac for child in children}
    assert len(macs) == 50
    assert sorted(answer.json()["children"]) == sorted(str(it.pk) for it in children)


def test_if_one_of_many_fits_nowhere_none_is_asked_for(
    ask: Callable[..., Any], kvm1: Host
) -> None:
    answer = ask(body(count=20, memory_bytes=4 * GIB))
    assert answer.status_code == 409
    assert not Operation.objects.exists()


def test_a_password_is_in_no_params_and_no_answer(
    ask: Callable[..., Any], kvm1: Host, redis_server: str
) -> None:
    cloud = {"hostname": "web", "user": "uwe", "password": "sehr geheim"}
    answer = ask(body(cloud_init=cloud))
    assert answer.status_code == 202, answer.content
    operation = Operation.objects.get()
    assert "sehr geheim" not in f"{operation.params}{operation.result}"
    assert "sehr geheim" not in answer.content.decode()
    seed = Seed.objects.get(guest=operation.guest)
    assert "sehr geheim" not in seed.sealed
    assert plan_of(operation.params["plan"]).seed_pool


def test_the_same_key_makes_one_guest(
    admin_token: str, by_token: Callable[[str], Client], kvm1: Host, redis_server: str
) -> None:
    client = by_token(admin_token)
    answers = [
        client.post(
            GUESTS,
            body(),
            content_type="application/json",
            headers={"Idempotency-Key": "one"},
        )
        for _ in range(2)
    ]
    assert answers[0].json() == answers[1].json()
    assert Operation.objects.count() == 1


def test_devices_of_the_host_need_a_right_of_their_own(
    ask: Callable[..., Any],
    kvm1: Host,
    operator: User,
    token_of: Callable[..., str],
    redis_server: str,
) -> None:
    stick = HostDevice.objects.create(
        host=kvm1, name="usb_1", kind="usb", vendor_id="0x1234", product_id="0x5678"
    )
    told = body(host_devices=[stick.pk])
    olga = token_of(operator)
    assert ask(told, token=olga).status_code == 403
    share = body(shares=[{"path": "/etc", "tag": "etc"}])
    assert ask(share, token=olga).status_code == 403
    assert ask(body(name="plain"), token=olga).status_code == 202
    assert ask(told).status_code == 202
    operation = Operation.objects.get(guest_name="web")
    given = plan_of(operation.params["plan"]).blueprint.given
    assert [each.vendor_id for each in given] == ["0x1234"]


def test_only_an_admin_makes_guests_for_others(
    ask: Callable[..., Any],
    kvm1: Host,
    operator: User,
    user: User,
    token_of: Callable[..., str],
) -> None:
    answer = ask(body(owner=user.username), token=token_of(operator))
    assert answer.status_code == 403
    assert ask(body(), token=token_of(user)).status_code == 403


def test_a_preview_says_what_will_happen_and_changes_nothing(
    ask: Callable[..., Any], kvm1: Host, kvm2: Host
) -> None:
    Host.objects.filter(pk=kvm2.pk).update(memory_free_bytes=8 * GIB)
    answer = ask(body(count=2), "preview/")
    assert answer.status_code == 200, answer.content
    told = answer.json()
    assert [each["host_name"] for each in told["guests"]] == ["kvm1", "kvm2"]
    assert told["guests"][0]["why"]
    assert told["others"] == [
        {
            "host_name": "kvm2",
            "reasons": ["It fits, too, but kvm1 has more room left."],
        }
    ]
    assert [each["name"] for each in told["volumes"]] == [
        "web-01.qcow2",
        "web-02.qcow2",
    ]
    assert "<name>web-01</name>" in told["xml"]
    assert not Operation.objects.exists()


def test_an_inactive_network_holds_no_guest(
    ask: Callable[..., Any], kvm1: Host
) -> None:
    network_of(kvm1, "quiet", active=False)
    answer = ask(body(nics=[{"network": "quiet"}]))
    assert answer.status_code == 409
    assert "no active network quiet" in answer.json()["detail"]
