"""Which hosts are this watcher's: leases on their rows, on the database's clock.

Those who live share the hosts evenly. A lease lasts ten seconds and is renewed every
four; what nobody holds is taken by who has less than its share, by compare-and-set.
"""

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Self

from django.db import DEFAULT_DB_ALIAS, connection, transaction
from django.db.models import (
    BooleanField,
    DateTimeField,
    Expression,
    ExpressionWrapper,
    Q,
    QuerySet,
)
from django.db.models.functions import Now
from django.db.models.sql import UpdateQuery

from hosts.models import Host, Watcher

LEASE = timedelta(seconds=10)
RENEW_S = 3.5  # with every second turn
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
        me = Watcher.objects.filter(name=name)
        mine = Host.objects.filter(watcher=name)
        is_free = ExpressionWrapper(_FREE, output_field=BooleanField())
        self._live_on = _Statement.update(me, alive_until=_after(LEASE))
        self._renew = _Statement.update(mine, watched_until=_after(LEASE))
        self._all = _Statement.select(
            Host.objects.order_by("pk").values_list(
                "pk", "watcher", is_free, *Wanted.COLUMNS
            )
        )
        living = Watcher.objects.filter(alive_until__gt=Now())
        self._living = _Statement.select(living.order_by().values_list("pk"))

    def turn(self) -> dict[int, Wanted]:
        """Renew when it is time, give away or take hosts, and say which are ours now.

        To be called every two seconds. Raises what the database raises.
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

    @transaction.atomic
    def _live(self) -> None:
        if not self._live_on.run():
            Watcher.objects.filter(alive_until__lt=Now() - FORGET).delete()
            Watcher.objects.create(name=self.name, alive_until=_after(LEASE))
        self._renew.run()

    def _look(self) -> tuple[dict[int, Wanted], list[Wanted], int]:
        mine, free, total = {}, [], 0
        for pk, watcher, nobodys, *way in self._all.rows():
            total += 1
            if watcher == self.name:
                mine[pk] = Wanted(pk, tuple(way))
            elif nobodys:
                free.append(Wanted(pk, tuple(way)))
        return mine, free, total

    def _fair_share(self, total: int) -> int:
        return -(-total // max(1, len(self._living.rows())))

    def _take(self, host_id: int) -> bool:
        rows = Host.objects.filter(_FREE, pk=host_id)
        return bool(rows.update(watcher=self.name, watched_until=_after(LEASE)))


class _Statement:
    """A query whose SQL is made once: making it costs twenty times what asking does."""

    def __init__(self, sql: str, params: tuple[Any, ...]) -> None:
        self._sql, self._params = sql, params

    @classmethod
    def select(cls, rows: "QuerySet[Any, Any]") -> Self:
        """These rows, as tuples of what the database's own driver makes of columns."""
        return cls(*rows.query.sql_with_params())

    @classmethod
    def update(cls, rows: "QuerySet[Any]", **values: Any) -> Self:
        """Set these columns in these rows."""
        query: Any = rows.query.chain(UpdateQuery)
        query.add_update_values(values)
        return cls(*query.get_compiler(DEFAULT_DB_ALIAS).as_sql())

    def run(self) -> int:
        """How many rows it was about."""
        with connection.cursor() as cursor:
            cursor.execute(self._sql, self._params)
            return int(cursor.rowcount)

    def rows(self) -> list[tuple[Any, ...]]:
        """What it finds."""
        with connection.cursor() as cursor:
            cursor.execute(self._sql, self._params)
            return list(cursor.fetchall())


def _after(duration: timedelta) -> Expression:
    return ExpressionWrapper(Now() + duration, output_field=DateTimeField())
