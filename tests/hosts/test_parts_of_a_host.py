"""Pools, volumes, networks and numbers of a host by the API."""

from typing import Any

from hosts.models import Host, Pool, Volume
from hosts.watcher.recording import record
from kvmweb.virt.types import Lease
from tests.hosts.conftest import ME, look, network, pool, volume


def get(client: Any, path: str, status: int = 200) -> Any:
    """GET; the body."""
    answer = client.get(f"/api/v1/{path}")
    assert answer.status_code == status, answer.content
    return answer.json()


def test_pools_and_their_volumes(as_operator: Any, watched: Host) -> None:
    record(watched.pk, ME, [look(pools=(pool(volume("a"), volume("b")),))])
    pools = get(as_operator, f"hosts/{watched.pk}/pools/")
    assert [(each["name"], each["type"]) for each in pools["items"]] == [
        ("default", "dir")
    ]
    volumes = get(
        as_operator, f"pools/{pools['items'][0]['id']}/volumes/?ordering=-name&limit=1"
    )
    assert volumes["count"] == 2
    assert [each["name"] for each in volumes["items"]] == ["b"]
    one = get(as_operator, f"volumes/{volumes['items'][0]['id']}/")
    assert one["capacity_bytes"] == 10 * 2**30


def test_networks_with_their_leases(as_operator: Any, watched: Host) -> None:
    leases = (Lease("52:54:00:00:00:01", "192.168.122.5", "web", None),)
    record(watched.pk, ME, [look(networks=(network(leases=leases),))])
    said = get(as_operator, f"hosts/{watched.pk}/networks/")["items"][0]
    assert (said["mode"], said["cidr"]) == ("nat", "192.168.122.1/24")
    assert said["leases"][0]["address"] == "192.168.122.5"


def test_numbers_over_time(as_operator: Any, watched: Host, redis_server: str) -> None:
    said = get(as_operator, f"hosts/{watched.pk}/stats/?range=6h")
    assert said["step_seconds"] == 60
    assert len(said["times"]) == len(said["series"]["cpu_percent"]) == 360
    bad = get(as_operator, f"hosts/{watched.pk}/stats/?range=2h", 422)
    assert "range" in bad["errors"]


def test_what_is_not_theirs_is_not_there(
    as_operator: Any, as_user: Any, watched: Host
) -> None:
    record(watched.pk, ME, [look()])
    pool_id, volume_id = Pool.objects.get().pk, Volume.objects.get().pk
    for path in (
        f"hosts/{watched.pk}/pools/",
        f"hosts/{watched.pk}/networks/",
        f"hosts/{watched.pk}/stats/",
        f"pools/{pool_id}/volumes/",
        f"volumes/{volume_id}/",
    ):
        get(as_operator, path)
        get(as_user, path, 403)
    for path in ("hosts/0/", "pools/99/volumes/", f"volumes/{2**70}/"):
        get(as_operator, path, 404)


def test_lists_refuse_what_they_cannot_order_by(
    as_operator: Any, watched: Host
) -> None:
    assert "ordering" in get(as_operator, "hosts/?ordering=secrets", 422)["errors"]
    assert get(as_operator, "hosts/?ordering=-guests_total,name")["count"] == 1
