"""Which of our processes are alive, as rows: told without Redis.

Every process but web says `beat("worker", name)` each 5 seconds; `/readyz` and `/metrics`
ask `alive("worker")`. The kinds: worker, watcher, console, beat.
"""

from datetime import timedelta

from django.utils import timezone

from kvmweb.accounts.models import Heartbeat

EVERY_S = 5
FRESH_S = 16  # three beats missed: not alive
KEPT = timedelta(hours=1)


def beat(kind: str, name: str) -> None:
    """Say that this process is alive now. Raises what the database raises."""
    now = timezone.now()
    if Heartbeat.objects.filter(kind=kind, name=name).update(at=now):
        return
    Heartbeat.objects.filter(kind=kind, at__lt=now - KEPT).delete()
    Heartbeat.objects.update_or_create(kind=kind, name=name, defaults={"at": now})


def alive(kind: str) -> list[str]:
    """Names of the processes of this kind that were alive a moment ago."""
    fresh = timezone.now() - timedelta(seconds=FRESH_S)
    rows = Heartbeat.objects.filter(kind=kind, at__gt=fresh)
    return list(rows.values_list("name", flat=True))


def gone(kind: str, name: str) -> None:
    """Say goodbye at an orderly end, so that nobody waits for the beat to grow old."""
    Heartbeat.objects.filter(kind=kind, name=name).delete()
