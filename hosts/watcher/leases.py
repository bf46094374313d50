"""Which hosts are this watcher's: leases on their rows, on the database's clock.

Those who live share the hosts evenly. A lease lasts ten seconds and is renewed every
three; what nobody holds is taken by who has less than its share, by compare-and-set.
"""

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

from django.db.models import (
    BooleanField,
    DateTimeField,
    Expression,
    ExpressionWrapper,
    Q,
)
from django.db.models.functions import Now

from hosts.models import Host, Watcher

LEASE = timedelta(seconds=10)
RENEW_S = 3.0
FORGET = timedelta(hours=1)

_FREE = Q(watcher="") | Q(watched_until=None) | Q(watched_until__lt=Now())


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a host is to be watched; another value means: connect anew."""

    host_id: int
    way: tuple[Any, ...]  # the columns that say how it is reached

    COLUMNS: ClassVar[tuple[str, ...]] = (
        "transport",
        "address",
        "port",
        "username",
        "socket_path",
        "secrets",
    )


class Leases:
    """This watcher's place among the living, and the hosts it holds."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._renewed_at = float("-inf")
        self._share = 0

    def turn(self) -> dict[int, Wanted]:
        """Renew when it is time, give away or take hosts, and say which are ours now.

        To be called every second. Raises what the database raises.
        """
        now = time.monotonic()
        if due := now - self._renewed_at >= RENEW_S:
            self._live()
            self._renewed_at = now
        mine, free, total = self._look()
        if due or free:
            self._share = self._fair_share(total)
        if len(mine) > self._share:
            for host_id in sorted(mine)[self._share :]:
                self.release(host_id)
                del mine[host_id]
        for wanted in free[: max(0, self._share - len(mine))]:
            if self._take(wanted.host_id):
                mine[wanted.host_id] = wanted
        return mine

    def release(self, host_id: int) -> None:
        """Let another watcher have this host at once."""
        rows = Host.objects.filter(pk=host_id, watcher=self.name)
        rows.update(watcher="", watched_until=None)

    def leave(self) -> None:
        """Give everything back, at an orderly end."""
        Host.objects.filter(watcher=self.name).update(watcher="", watched_until=None)
        Watcher.objects.filter(name=self.name).delete()

    def _live(self) -> None:
        until = _after(LEASE)
        if not Watcher.objects.filter(name=self.name).update(alive_until=until):
            Watcher.objects.filter(alive_until__lt=Now() - FORGET).delete()
            Watcher.objects.create(name=self.name, alive_until=until)
        Host.objects.filter(watcher=self.name).update(watched_until=until)

    def _look(self) -> tuple[dict[int, Wanted], list[Wanted], int]:
        mine, free, total = {}, [], 0
        is_free = ExpressionWrapper(_FREE, output_field=BooleanField())
        rows = Host.objects.order_by("pk").values_list(
            "pk", "watcher", is_free, *Wanted.COLUMNS
        )
        for pk, watcher, nobodys, *way in rows:
            total += 1
            if watcher == self.name:
                mine[pk] = Wanted(pk, tuple(way))
            elif nobodys:
                free.append(Wanted(pk, tuple(way)))
        return mine, free, total

    def _fair_share(self, total: int) -> int:
        living = Watcher.objects.filter(alive_until__gt=Now()).count()
        return -(-total // max(1, living))

    def _take(self, host_id: int) -> bool:
        rows = Host.objects.filter(_FREE, pk=host_id)
        return bool(rows.update(watcher=self.name, watched_until=_after(LEASE)))


def _after(duration: timedelta) -> Expression:
    return ExpressionWrapper(Now() + duration, output_field=DateTimeField())
