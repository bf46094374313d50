"""Forms of pools, volumes and networks: a sentence stands beside the field it is about."""

import pytest
from django.test import Client

from hosts.models import Host, Network, Pool, Volume
from hosts.storage.forms import SizeField
from hosts.watcher.recording import record
from tests.hosts.conftest import ME, look

pytestmark = pytest.mark.usefixtures("redis_server")


@pytest.fixture
def kvm1(watched: Host) -> Host:
    """A host with one pool, one volume and one network."""
    record(watched.pk, ME, [look()])
    return watched


def at_field(browser: Client, path: str, field: str, **said: str) -> str:
    """What stands beside this field when the form is sent with these words."""
    answer = browser.post(path, said)
    assert answer.status_code == 422
    errors = answer.context["form"].errors
    assert list(errors) == [field]
    for typed in said.values():
        assert typed in answer.content.decode()
    return " ".join(errors[field])


def test_a_pool_whose_name_or_place_is_taken(as_admin: Client, kvm1: Host) -> None:
    there = Pool.objects.get(host=kvm1)
    page = f"/hosts/{kvm1.pk}/pools/new/"
    about = {"type": "dir", "target": "/srv/x"}
    taken = at_field(as_admin, page, "name", name=there.name, **about)
    assert taken == f"{kvm1.name} has a pool {there.name} already."
    about["target"] = there.target
    taken = at_field(as_admin, page, "target", name="new", **about)
    assert f"is the pool {there.name}" in taken


def test_a_volume_whose_name_is_taken(as_admin: Client, kvm1: Host) -> None:
    there = Volume.objects.get(pool__host=kvm1)
    page = f"/pools/{there.pool_id}/volumes/new/"
    taken = at_field(
        as_admin, page, "name", name=there.name, size="7 MiB", format="qcow2"
    )
    assert taken == f"{there.pool.name} has a volume {there.name} already."


def test_a_volume_that_would_shrink_is_measured_in_words(
    as_admin: Client, kvm1: Host
) -> None:
    there = Volume.objects.get(pool__host=kvm1)
    Volume.objects.update(capacity_bytes=3 * 1024**3)
    shrunk = at_field(as_admin, f"/volumes/{there.pk}/grow/", "size", size="1 MiB")
    assert shrunk == f"{there.name} has 3 GiB already; a volume never shrinks."


def test_a_network_whose_name_is_taken(as_admin: Client, kvm1: Host) -> None:
    there = Network.objects.get(host=kvm1)
    page = f"/hosts/{kvm1.pk}/networks/new/"
    about = {"mode": "nat", "cidr": "10.9.9.0/24", "dhcp": "on"}
    taken = at_field(as_admin, page, "name", name=there.name, **about)
    assert f"a network named {there.name}" in taken


@pytest.mark.parametrize(
    ("typed", "count"),
    [
        ("20", 20 * 1024**3),
        ("1.5 GiB", 3 * 1024**3 // 2),
        ("512M", 512 * 1024**2),
        ("4096 B", 4096),
        ("1tb", 1024**4),
    ],
)
def test_a_plain_number_is_gib_as_on_the_page_of_a_new_guest(
    typed: str, count: int
) -> None:
    assert SizeField().clean(typed) == count
