"""POST guests/: what a new guest is given that nobody asked for in so many words."""

from collections.abc import Callable
from typing import Any

from guests.creation.plan import plan_of
from hosts.models import Host, Pool
from kvmweb.accounts.models import User
from kvmweb.operations.models import Operation
from tests.guests.creation.conftest import GIB, body, pool_of, volume_of


def test_a_users_guest_may_not_pretend_to_be_another(
    ask: Callable[..., Any], kvm1: Host, user: User, redis_server: str
) -> None:
    kvm1.filters.create(name="clean-traffic")
    assert ask(body(owner=user.username)).status_code == 202
    assert ask(body(name="ours")).status_code == 202
    told = {
        operation.guest_name: plan_of(operation.params["plan"]).blueprint.nics[0].filter
        for operation in Operation.objects.all()
    }
    assert told == {"web": "clean-traffic", "ours": ""}


def test_where_there_is_no_such_filter_it_is_said(
    ask: Callable[..., Any], kvm1: Host, user: User
) -> None:
    answer = ask(body(owner=user.username), "preview/")
    assert "has no filter clean-traffic" in answer.json()["warnings"][0]


def test_a_screen_listens_as_its_console_needs_it(
    ask: Callable[..., Any], home_of: Callable[..., Host], redis_server: str
) -> None:
    listens = {}
    for way, place in (
        ("local", {}),
        ("unix", {"socket_path": "/run/x"}),
        ("ssh", {"address": "a.example.org"}),
        ("tls", {"address": "b.example.org"}),
        ("tcp", {"address": "c.example.org"}),
    ):
        host = home_of(way, transport=way, **place)
        assert ask(body(name=way, host=host.pk)).status_code == 202
        operation = Operation.objects.get(guest_name=way)
        screen = plan_of(operation.params["plan"]).blueprint.screen
        listens[way] = (screen.listen, screen.guarded)
    assert listens == {
        "local": ("127.0.0.1", False),
        "unix": ("127.0.0.1", False),
        "ssh": ("127.0.0.1", True),
        "tls": ("0.0.0.0", True),
        "tcp": ("0.0.0.0", True),
    }


def test_windows_11_gets_what_it_asks_for(
    ask: Callable[..., Any], home_of: Callable[..., Host], redis_server: str
) -> None:
    told = {"firmware": ["bios", "uefi", "uefi-secure"], "tpm": True}
    home_of("kvm", virt_types=["kvm"], arch="x86_64", capabilities=told)
    assert ask(body(os="win11", memory_bytes=4 * GIB)).status_code == 202
    blueprint = plan_of(Operation.objects.get().params["plan"]).blueprint
    assert (blueprint.firmware, blueprint.tpm) == ("uefi-secure", True)
    assert (blueprint.disks[0].bus, blueprint.nics[0].model) == ("sata", "e1000e")
    assert blueprint.windows


def test_a_baseline_is_what_every_host_has(
    ask: Callable[..., Any], home_of: Callable[..., Host], redis_server: str
) -> None:
    for name, models in (
        ("a", ["Haswell", "Skylake-Server", "Nehalem"]),
        ("b", ["Haswell", "Nehalem", "SandyBridge"]),
    ):
        home_of(
            name,
            virt_types=["kvm"],
            arch="x86_64",
            capabilities={"cpu_models": models, "host_cpu": models[0]},
        )
    assert ask(body(cpu={"mode": "baseline"})).status_code == 202
    blueprint = plan_of(Operation.objects.get().params["plan"]).blueprint
    assert blueprint.cpu.model == "Haswell"


def test_a_pool_of_block_devices_gets_raw_disks(
    ask: Callable[..., Any], kvm1: Host, redis_server: str
) -> None:
    pool = pool_of(kvm1, "vg", type="logical", target="/dev/vg")
    told = body(disks=[{"size_bytes": GIB, "pool": pool.pk}])
    assert ask(told).status_code == 202
    plan = plan_of(Operation.objects.get().params["plan"])
    assert plan.volumes[0].format == "raw"
    assert plan.volumes[0].path == "/dev/vg/web"
    assert plan.blueprint.disks[0].block
    wrong = body(
        name="b", disks=[{"size_bytes": GIB, "pool": pool.pk, "format": "qcow2"}]
    )
    assert ask(wrong).status_code == 422


def test_a_name_taken_in_the_pool_is_given_some_letters_more(
    ask: Callable[..., Any], kvm1: Host, redis_server: str
) -> None:
    volume_of(Pool.objects.get(host=kvm1), "web.qcow2")
    assert ask(body()).status_code == 202
    (volume,) = plan_of(Operation.objects.get().params["plan"]).volumes
    assert volume.name.startswith("web-")
    assert volume.name != "web.qcow2"
