"""The pages: look, add, edit, remove; what is wrong is said in sentences."""

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from guests.models import Guest
from hosts import vault
from hosts.models import Host, Pool
from hosts.watcher.recording import record
from kvmweb.operations.models import Operation
from kvmweb.virt.types import DomainState, Lost
from tests.guests.conftest import domain
from tests.hosts.conftest import ME, PRIVATE_KEY, look, pool

pytestmark = pytest.mark.usefixtures("redis_server")


def test_the_list_costs_the_same_for_one_host_and_forty(
    as_operator: Any, watched: Host, django_assert_max_num_queries: Any
) -> None:
    record(watched.pk, ME, [look(domains=(domain("web", DomainState.RUNNING),))])
    with django_assert_max_num_queries(12) as one:
        assert b"kvm1" in as_operator.get("/hosts/").content
    Host.objects.bulk_create(
        Host(name=f"host-{n:02}", transport="test") for n in range(40)
    )
    with django_assert_max_num_queries(len(one.captured_queries)):
        assert b"host-39" in as_operator.get("/hosts/").content


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("?search=rack-7", {"b"}),
        ("?search=alpha", {"a"}),
        ("?state=down", {"c"}),
        ("?state=maintenance", {"b"}),
        ("?sort=-name", {"a", "b", "c"}),
        ("?sort=x;y&state=z&page=zzz", {"a", "b", "c"}),
    ],
)
def test_filters_are_in_the_address(
    as_operator: Any, db: None, query: str, names: set[str]
) -> None:
    Host.objects.create(name="a", transport="tcp", address="alpha.example")
    Host.objects.create(
        name="b", transport="test", tags=["rack-7"], maintenance=True, state="up"
    )
    Host.objects.create(name="c", transport="test", state="down")
    response = as_operator.get(f"/hosts/{query}")
    assert {host.name for host in response.context["page"]} == names


def test_a_page_says_what_is_wrong(as_operator: Any, watched: Host) -> None:
    record(watched.pk, ME, [look(pools=(pool(active=False),))])
    record(watched.pk, ME, [Lost("The connection was refused.", "Start it.", "x")])
    Host.objects.update(
        transport="tcp", libvirt_version="6.1.0", maintenance=True, watched_until=None
    )
    page = as_operator.get(reverse("host", args=[watched.pk]))
    problems = " ".join(page.context["problems"])
    for words in (
        "Down since",
        "The connection was refused. Start it.",
        "In maintenance",
        "Nobody watches this host now",
        "Storage pool default is not active.",
        "Nothing on the connection is encrypted",
        "libvirt 6.1.0 is old",
    ):
        assert words in problems


def test_a_well_host_has_no_problems(as_operator: Any, watched: Host) -> None:
    record(watched.pk, ME, [look()])
    Host.objects.update(watched_until=timezone.now() + timedelta(seconds=5))
    page = as_operator.get(reverse("host", args=[watched.pk]))
    assert page.context["problems"] == []


def test_a_full_pool_and_too_much_memory_are_problems(
    as_operator: Any, watched: Host
) -> None:
    greedy = domain("greedy", DomainState.RUNNING, memory_bytes=20 * 2**30)
    record(watched.pk, ME, [look(domains=(greedy,))])
    Pool.objects.update(allocation_bytes=99 * 2**30)
    page = as_operator.get(reverse("host", args=[watched.pk]))
    problems = " ".join(page.context["problems"])
    assert "Storage pool default is 99 % full." in problems
    assert "may use 125 % of its memory" in problems


def test_adding_it_by_form(as_admin: Any) -> None:
    said = {
        "name": "kvm1",
        "transport": "ssh",
        "address": "kvm1.example.org",
        "username": "kvm",
        "virt_type": "auto",
        "tags": "rack-1, ssd",
        "ssh_private_key": PRIVATE_KEY,
    }
    response = as_admin.post(reverse("host-new"), said)
    host = Host.objects.get()
    assert response.status_code == 302
    assert response.url == host.get_absolute_url()
    assert host.tags == ["rack-1", "ssd"]
    secrets = vault.secrets_of(host)
    assert secrets.ssh_private_key.strip() == PRIVATE_KEY.strip()


def test_a_form_with_errors_keeps_what_was_typed_but_no_secret(as_admin: Any) -> None:
    said = {
        "name": "Bad Name",
        "transport": "tcp",
        "address": "kvm1.example.org",
        "virt_type": "auto",
        "password": "planted-password",
        "tls_key": "planted-key",
    }
    response = as_admin.post(reverse("host-new"), said)
    text = response.content.decode()
    assert response.status_code == 422
    assert "small letters" in text
    assert "kvm1.example.org" in text
    assert "planted-" not in text


def test_editing_it_by_form_keeps_secrets_until_told(as_admin: Any, db: None) -> None:
    as_admin.post(
        reverse("host-new"),
        {
            "name": "kvm1",
            "transport": "tcp",
            "address": "a",
            "virt_type": "auto",
            "username": "kvm",
            "password": "planted",
        },
    )
    host = Host.objects.get()
    said = {
        "name": "kvm2",
        "transport": "tcp",
        "address": "b",
        "virt_type": "qemu",
        "username": "kvm",
    }
    as_admin.post(reverse("host-edit", args=[host.pk]), said)
    host.refresh_from_db()
    assert (host.name, host.address) == ("kvm2", "b")
    assert vault.secrets_of(host).password == "planted"
    as_admin.post(reverse("host-edit", args=[host.pk]), said | {"forget_secrets": "on"})
    host.refresh_from_db()
    assert vault.secrets_of(host).password == ""


def test_removing_it_asks_for_its_name(as_admin: Any, watched: Host) -> None:
    record(watched.pk, ME, [look(domains=(domain("web"),))])
    url = reverse("host-delete", args=[watched.pk])
    assert as_admin.post(url, {"name": "other"}).status_code == 422
    assert as_admin.post(url, {"name": "kvm1"}).status_code == 302
    assert not Host.objects.exists()
    assert Guest.objects.get().state == "gone"


def test_buttons_of_a_page_are_operations(as_admin: Any, watched: Host) -> None:
    as_admin.post(reverse("host-check", args=[watched.pk]))
    as_admin.post(reverse("host-maintenance", args=[watched.pk]), {"enabled": "true"})
    watched.refresh_from_db()
    assert watched.maintenance
    as_admin.post(reverse("host-maintenance", args=[watched.pk]), {"enabled": "false"})
    watched.refresh_from_db()
    assert not watched.maintenance
    kinds = list(
        Operation.objects.order_by("created_at").values_list("kind", flat=True)
    )
    assert kinds == ["host.check", "host.maintenance", "host.maintenance"]
    assert as_admin.get(reverse("host-check", args=[watched.pk])).status_code == 405


def test_operators_find_no_buttons_and_no_doors(
    as_operator: Any, as_user: Any, watched: Host
) -> None:
    page = as_operator.get(reverse("host", args=[watched.pk])).content.decode()
    assert reverse("host-edit", args=[watched.pk]) not in page
    assert as_operator.get(reverse("host-new")).status_code == 403
    post = as_operator.post(reverse("host-delete", args=[watched.pk]), {"name": "kvm1"})
    assert post.status_code == 403
    assert as_user.get("/hosts/").status_code == 403
    assert as_user.get(reverse("host", args=[watched.pk])).status_code == 403
