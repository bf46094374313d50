"""Two-second records become minutes and hours before Redis forgets them."""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from django.db import transaction

from kvmweb import samples
from kvmweb.rollups.models import Rollup
from kvmweb.rollups.records import EMPTY, PACKED, STEP_S, Record, averaged, unpacked
from kvmweb.samples import DAY_S, HOUR_S, MINUTE_S

MINUTES_KEPT_S = 7 * DAY_S
HOURS_KEPT_S = 365 * DAY_S
_MINUTES = HOUR_S // MINUTE_S
_TOGETHER = 100  # guests in one transaction: nobody waits long for the database

Key = bytes
Hour = tuple[Key, int]


def roll_up() -> int:
    """Keep what Redis holds of the last hour's whole minutes; how many records were new.

    Safe to repeat, and to leave out for most of an hour.
    """
    new = 0
    keys = samples.everybody()
    for start in range(0, len(keys), _TOGETHER):
        told = samples.recent(keys[start : start + _TOGETHER])
        new += _keep(told)
        samples.forget([key for key, records in told.items() if not records])
    return new


def forget() -> None:
    """Drop minutes older than a week and hours older than a year."""
    now = int(time.time())
    old = Rollup.objects.filter(hour__lt=(now - MINUTES_KEPT_S) // HOUR_S)
    old.exclude(minutes=b"").update(minutes=b"")
    Rollup.objects.filter(hour__lt=(now - HOURS_KEPT_S) // HOUR_S).delete()


def _keep(recent: Mapping[Key, Sequence[Record]]) -> int:
    this_minute = int(time.time()) // MINUTE_S
    told: dict[Hour, dict[int, Record]] = defaultdict(dict)
    for key, records in recent.items():
        for minute, record in samples.minutes_of(records).items():
            if minute < this_minute:
                told[key, minute // _MINUTES][minute % _MINUTES] = record
    if not told:
        return 0
    with transaction.atomic():
        known = _known(told)
        rows = list(_grown(told, known))
        Rollup.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["subject", "hour"],
            update_fields=["minutes", "average"],
        )
    return len(rows)


def _known(told: Iterable[Hour]) -> dict[Hour, bytes]:
    hours = {hour for _, hour in told}
    keys = {key for key, _ in told}
    rows = Rollup.objects.filter(subject__in=keys, hour__in=hours)
    said = rows.select_for_update().values_list("subject", "hour", "minutes")
    return {(bytes(key), hour): bytes(minutes) for key, hour, minutes in said}


def _grown(
    told: Mapping[Hour, Mapping[int, Record]], known: Mapping[Hour, bytes]
) -> Iterator[Rollup]:
    """The rows that have more to say now. A minute that stands is not written again."""
    for (key, hour), minutes in told.items():
        before = known.get((key, hour)) or EMPTY * _MINUTES
        packed = [
            before[at * PACKED.size : (at + 1) * PACKED.size] for at in range(_MINUTES)
        ]
        for at, record in minutes.items():
            if packed[at] == EMPTY:
                packed[at] = PACKED.pack(*record)
        whole = b"".join(packed)
        if whole == before:
            continue
        average = averaged(unpacked(whole), hour * HOUR_S // STEP_S)
        yield Rollup(
            subject=key, hour=hour, minutes=whole, average=PACKED.pack(*average)
        )
