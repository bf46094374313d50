"""What machines ask: alive, ready, numbers."""

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from kvmweb import health, heartbeat
from kvmweb.accounts.models import Heartbeat


@pytest.fixture
def beating(redis_server: str, db: None) -> None:
    for kind in ("worker", "watcher"):
        heartbeat.beat(kind, f"{kind}-1")


def test_it_is_ready_when_everything_is_there(beating: None, client: Client) -> None:
    answer = client.get("/readyz")
    assert answer.json() == {
        "ready": True,
        "checks": {"database": "ok", "redis": "ok", "worker": "ok", "watcher": "ok"},
    }
    assert answer.status_code == 200


def test_it_says_what_is_missing(beating: None, client: Client) -> None:
    heartbeat.gone("worker", "worker-1")
    Heartbeat.objects.update(at=timezone.now() - timedelta(minutes=1))
    answer = client.get("/readyz")
    assert answer.status_code == 503
    checks = answer.json()["checks"]
    assert checks["worker"] == "No worker is alive."
    assert checks["watcher"] == "No watcher is alive."


def test_it_says_that_redis_is_away(
    db: None, client: Client, settings: object, tmp_path: object
) -> None:
    settings.REDIS_URL = f"unix://{tmp_path}/none.sock"  # type: ignore[attr-defined]
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["redis"] != "ok"


def test_it_waits_for_no_probe_longer_than_a_second(
    beating: None, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_ask_redis", lambda: time.sleep(2))
    begun = time.monotonic()
    answer = client.get("/readyz")
    assert time.monotonic() - begun < 1.8
    assert answer.json()["checks"]["redis"] == "No answer within a second."


def test_it_says_that_the_database_is_away(
    beating: None, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(health, "_ask_database", away)
    checks = client.get("/readyz").json()["checks"]
    assert checks["database"] == "OperationalError."
    assert checks["worker"] == "Unknown without the database."


def test_a_process_is_alive_for_as_long_as_it_beats(db: None) -> None:
    for name in ("b", "a", "a"):
        heartbeat.beat("watcher", name)
    heartbeat.beat("worker", "w")
    assert heartbeat.alive("watcher") == ["a", "b"]
    stale = timezone.now() - timedelta(seconds=heartbeat.FRESH_S + 1)
    Heartbeat.objects.filter(name="a").update(at=stale)
    assert heartbeat.alive("watcher") == ["b"]


def test_rows_of_processes_long_gone_are_swept(db: None) -> None:
    heartbeat.beat("worker", "old")
    Heartbeat.objects.update(at=timezone.now() - timedelta(hours=2))
    heartbeat.beat("worker", "new")
    assert list(Heartbeat.objects.values_list("name", flat=True)) == ["new"]


def test_numbers_have_names_only_for_who_may_see_hosts(
    client: Client,
    admin_read_token: str,
    user_token: str,
    by_token: Callable[[str], Client],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(health, "_sources", [])
    asked: list[bool] = []

    @health.metrics_source
    def source(*, named: bool) -> list[health.Metric]:
        asked.append(named)
        return []

    for asker in (client, by_token(user_token), by_token(admin_read_token)):
        answer = asker.get("/metrics")
        assert answer.status_code == 200
        assert "kvmweb_processes" in answer.content.decode()
    assert asked == [False, False, True]
    assert by_token("kvw_wrong").get("/metrics").status_code in (302, 401)
