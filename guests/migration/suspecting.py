"""Storage that looks shared is tried before anybody asks: then pages can say what it is.

Only where two hosts show the same volume under the same path: that is a hint, and the
sentinel turns it into knowledge.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from itertools import combinations

from django.db.models import Count
from django.utils import timezone

from guests.migration.check_models import SharedProof
from hosts.models import Host, Volume
from kvmweb.operations.models import Operation
from kvmweb.operations.services import submit

KIND = "host.prove-shared"
_AT_ONCE = 4
_PROVED_FOR = timedelta(days=1)
_TRIED_AGAIN = timedelta(minutes=15)
_EXPIRES_S = 60


@dataclass(frozen=True, slots=True)
class Suspect:
    """Two pools of two hosts that may be one storage."""

    host: int
    other: int
    pool: str
    other_pool: str
    path: str


def look() -> int:
    """Have some that nobody has tried lately tried now; how many were begun."""
    begun = 0
    known = _known()
    for suspect in _suspects():
        if (suspect.host, suspect.other, suspect.path) in known:
            continue
        names = Host.objects.in_bulk([suspect.host])
        submit(
            KIND,
            by=None,
            host=suspect.host,
            host_name=names[suspect.host].name,
            params=asdict(suspect),
            expires_s=_EXPIRES_S,
        )
        begun += 1
        if begun == _AT_ONCE:
            break
    return begun


def _known() -> set[tuple[int, int, str]]:
    """What was tried and need not be now."""
    now = timezone.now()
    proofs = SharedProof.objects.filter(at__gt=now - _PROVED_FOR)
    found = set(proofs.values_list("first", "second", "path"))
    tries = Operation.objects.filter(kind=KIND, created_at__gt=now - _TRIED_AGAIN)
    for told in tries.values_list("params", flat=True):
        found.add((told["host"], told["other"], told["path"]))
    return found


def _suspects() -> Iterator[Suspect]:
    """Pairs of pools with one target in which both hosts see a volume of one path."""
    rows = Volume.objects.filter(pool__active=True, pool__host__state=Host.State.UP)
    twice = (
        rows.order_by()
        .values("path")
        .annotate(hosts=Count("pool__host", distinct=True))
    )
    paths = twice.filter(hosts__gt=1).values("path")
    columns = ("pool__target", "path", "pool__host", "pool__name")
    seen: defaultdict[tuple[str, str], dict[int, str]] = defaultdict(dict)
    for target, path, host, pool in rows.filter(path__in=paths).values_list(*columns):
        seen[target, path].setdefault(host, pool)
    told: set[tuple[int, int, str]] = set()
    for (target, _), pools in seen.items():
        for one, other in combinations(sorted(pools), 2):
            if target and (one, other, target) not in told:
                told.add((one, other, target))
                yield Suspect(one, other, pools[one], pools[other], target.rstrip("/"))
