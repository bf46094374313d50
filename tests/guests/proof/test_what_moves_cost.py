"""Moves, foretold and measured: by guest, by way, over time, and as a report."""

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client
from django.utils import timezone

from guests.migration.models import Move
from guests.models import Guest
from guests.proof import queries
from hosts.models import Host
from kvmweb.operations.models import Operation

DAY = datetime(2026, 5, 4, 12, tzinfo=UTC)
Made = Callable[..., Move]


@pytest.fixture
def made(host_of: Callable[..., Host]) -> Made:
    """Makes moves of one guest from kvm1 to kvm2 that took two seconds."""
    source, target = host_of("kvm1"), host_of("kvm2")
    guest = Guest.objects.create(
        uuid=uuid4(), name="web-1", host=source, state="running"
    )

    def make(**about: Any) -> Move:
        plain: dict[str, Any] = {
            "operation": uuid4(),
            "guest": guest.pk,
            "guest_name": guest.name,
            "source": source,
            "source_name": source.name,
            "target": target,
            "target_name": target.name,
            "mode": "live",
            "storage": "none",
            "predicted": {"seconds": 1.8, "downtime_ms": 90, "bytes": 1000},
            "total_ms": 2000,
            "downtime_ms": 80,
            "transferred_bytes": 1_000_000,
            "outcome": "succeeded",
            "started_at": DAY,
            "finished_at": DAY + timedelta(seconds=2),
        }
        return Move.objects.create(**{**plain, **about})

    return make


def test_a_day_is_summed_up(made: Made) -> None:
    made()
    made(seen_downtime_ms=140, predicted={"seconds": 9})
    made(outcome="failed", total_ms=None, downtime_ms=None, sentence="It broke.")
    made(outcome="", total_ms=None, downtime_ms=None, finished_at=None)
    made(started_at=DAY + timedelta(days=1))
    made(canary=True)

    report = queries.report(day=DAY.date())

    assert len(report.moves) == 4
    assert (len(report.succeeded), len(report.failed), report.under_way) == (2, 1, 1)
    assert report.longest_downtime_ms == 140  # a client saw more than the target
    assert report.total_downtime_ms == 220
    assert (report.near, report.foretold) == (1, 2)


def test_a_drain_is_reported_alone(made: Made, as_admin: Client) -> None:
    drain = Operation.objects.create(kind="host.evacuate", host_name="kvm1")
    made(drain=drain.pk)
    made()

    said = as_admin.get(f"/api/v1/moves/report/?drain={drain.pk}").json()
    page = as_admin.get(f"/moves/report/?drain={drain.pk}").content.decode()

    assert said["succeeded"] == 1
    assert "Emptying of kvm1" in page
    for wrong in (f"drain={uuid4()}", "drain=x", "day=yesterday"):
        assert as_admin.get(f"/api/v1/moves/report/?{wrong}").status_code == 422


def test_the_table_opens_in_a_spreadsheet_and_runs_nothing(
    made: Made, as_admin: Client
) -> None:
    made(guest_name="=HYPERLINK(1)")

    answer = as_admin.get("/moves/report.csv?day=2026-05-04")

    assert (
        answer["Content-Disposition"] == 'attachment; filename="moves-2026-05-04.csv"'
    )
    [row] = csv.DictReader(io.StringIO(answer.content.decode()))
    assert row["guest_name"] == "'=HYPERLINK(1)"
    assert (row["predicted_seconds"], row["seconds"]) == ("1.8", "2.0")
    assert row["seen_downtime_ms"] == ""


def test_each_way_says_what_it_costs(
    made: Made, django_assert_num_queries: Any
) -> None:
    now = timezone.now()
    for total in (1000, 2000, 6000):
        made(total_ms=total, started_at=now)
    made(outcome="failed", started_at=now)

    with django_assert_num_queries(1):
        [pair] = queries.pairs()

    assert (pair.moves, pair.failed) == (4, 1)
    assert pair.seconds == 2.0
    assert (pair.near, pair.foretold) == (1, 3)


def test_pages_show_moves_foretold_and_measured(
    made: Made, as_admin: Client, django_assert_max_num_queries: Any
) -> None:
    rows = [made(started_at=timezone.now()) for _ in range(30)]
    first = rows[0]

    with django_assert_max_num_queries(12):
        page = as_admin.get("/moves/").content.decode()
    assert "kvm1 → kvm2" in page
    way = f"?source={first.source_id}&target={first.target_id}"
    assert "data-charts" in as_admin.get(f"/moves/{way}").content.decode()
    guest = as_admin.get(f"/guests/{first.guest}/").content.decode()
    assert "1.8 s" in guest
    assert "80 ms" in guest


def test_the_api_lists_and_charts_them(made: Made, as_admin: Client) -> None:
    now = timezone.now()
    first = made(finished_at=now)
    made(finished_at=now - timedelta(days=3), total_ms=4000)
    made(finished_at=now, outcome="failed")

    found = as_admin.get("/api/v1/moves/?outcome=succeeded&limit=1").json()
    way = f"/api/v1/moves/from/{first.source_id}/to/{first.target_id}/"
    charted = as_admin.get(f"{way}?range=7d").json()

    assert (found["count"], len(found["items"])) == (2, 1)
    assert charted["series"]["seconds"] == [4.0, 2.0]
    assert charted["series"]["predicted_seconds"] == [1.8, 1.8]
    assert len(as_admin.get(f"{way}?range=1d").json()["times"]) == 1
    assert as_admin.get(f"{way}?range=2d").status_code == 422
    assert as_admin.get("/api/v1/moves/from/99/to/98/").json()["times"] == []


def test_who_sees_no_hosts_sees_no_moves(
    made: Made, user: Any, as_user: Client
) -> None:
    row = made()
    Guest.objects.filter(pk=row.guest).update(owner=user)

    assert as_user.get("/moves/").status_code == 403
    assert as_user.get("/api/v1/moves/").status_code == 403
    assert "kvm2" not in as_user.get(f"/guests/{row.guest}/").content.decode()


@pytest.mark.parametrize("active", [True, False])
def test_an_operations_page_shows_how_far_it_is_or_how_it_came_out(
    made: Made, as_admin: Client, active: bool
) -> None:
    row = made()
    job = {"memory_left_bytes": 3 * 2**20, "disk_left_bytes": 0, "iteration": 4}
    job |= {"rate_bytes_s": 2**20, "dirty_bytes_s": 2**19, "seconds_left": 3}
    told = {"now": job} if active else {"total_ms": 2000, "downtime_ms": 80}
    Operation.objects.create(
        id=row.operation,
        kind="guest.migrate",
        guest=UUID(str(row.guest)),
        state="running" if active else "succeeded",
        params={"predicted": row.predicted},
        result=told,
    )

    page = as_admin.get(f"/operations/{row.operation}/").content.decode()

    words = ("3 MiB", "in 3 s", "512 KiB/s") if active else ("1.8 s", "80 ms", "90 ms")
    for word in words:
        assert word in page
