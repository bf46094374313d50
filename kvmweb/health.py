"""What machines ask about us: alive, ready, and numbers for Prometheus.

Apps add numbers of their own:

    @metrics_source
    def guests(*, named: bool) -> Iterable[Metric]: ...

`named` says whether the asker may know names; without it only totals may be told.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TookTooLong
from typing import Protocol

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from kvmweb import heartbeat
from kvmweb.accounts.gate import Right, door, may
from kvmweb.operations.models import Operation

PROBE_S = 1.0
_probes = ThreadPoolExecutor(4, thread_name_prefix="probe")


class Source(Protocol):
    """What an app says of itself in numbers."""

    def __call__(self, *, named: bool) -> Iterable[Metric]:
        """The numbers; with names only when `named`."""


_sources: list[Source] = []


def metrics_source(source: Source) -> Source:
    """Plug: add these numbers to /metrics."""
    _sources.append(source)
    return source


@require_safe
@never_cache
@door(Right.PUBLIC)
def healthz(_request: HttpRequest) -> HttpResponse:
    """This process answers."""
    return HttpResponse("ok\n", content_type="text/plain; charset=utf-8")


@require_safe
@never_cache
@door(Right.PUBLIC)
def readyz(_request: HttpRequest) -> HttpResponse:
    """Whether everything a click needs is there; 503 and what is wrong when not."""
    checks = {"database": _within(_ask_database), "redis": _within(_ask_redis)}
    for kind in ("worker", "watcher"):
        known = checks["database"] == ""
        checks[kind] = _ask_for(kind) if known else "Unknown without the database."
    wrong = {name: sentence for name, sentence in checks.items() if sentence}
    body = {
        "ready": not wrong,
        "checks": {name: sentence or "ok" for name, sentence in checks.items()},
    }
    response = JsonResponse(body, status=503 if wrong else 200)
    response._has_been_logged = True  # type: ignore[attr-defined]  # no error of ours
    return response


@require_safe
@never_cache
@door(Right.PUBLIC)
def metrics(request: HttpRequest) -> HttpResponse:
    """Numbers for Prometheus; with names for a token whose user may see hosts."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Ours(named=may(request.user, Right.SEE_HOSTS)))
    text = generate_latest(REGISTRY) + generate_latest(registry)
    return HttpResponse(text, content_type=CONTENT_TYPE_LATEST)


class _Ours(Collector):
    """Everything this product counts, asked anew for each answer."""

    def __init__(self, *, named: bool) -> None:
        self.named = named

    def collect(self) -> Iterator[Metric]:
        """All families, the house's own first."""
        yield from _own()
        for source in _sources:
            yield from source(named=self.named)


def _own() -> Iterator[Metric]:
    alive = GaugeMetricFamily(
        "kvmweb_processes", "Processes of ours that are alive.", labels=["kind"]
    )
    for kind in ("worker", "watcher", "console"):
        alive.add_metric([kind], len(heartbeat.alive(kind)))
    yield alive
    operations = GaugeMetricFamily(
        "kvmweb_operations", "Operations on record.", labels=["kind", "state"]
    )
    rows = Operation.objects.order_by().values_list("kind", "state")
    for kind, state, count in rows.annotate(Count("pk")):
        operations.add_metric([kind, state], count)
    yield operations


def _within(probe: Callable[[], None]) -> str:
    """What is wrong, as a sentence; "" when nothing is. At most a second."""
    future: Future[None] = _probes.submit(probe)
    try:
        future.result(PROBE_S)
    except TookTooLong:
        future.cancel()
        return "No answer within a second."
    except (DatabaseError, RedisError, OSError) as error:
        return f"{type(error).__name__}."
    return ""


def _ask_database() -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connection.close()


def _ask_redis() -> None:
    with Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=PROBE_S,
        socket_connect_timeout=PROBE_S,
        retry=Retry(NoBackoff(), 0),
    ) as redis:
        redis.ping()


def _ask_for(kind: str) -> str:
    try:
        return "" if heartbeat.alive(kind) else f"No {kind} is alive."
    except DatabaseError:
        return "Unknown without the database."
