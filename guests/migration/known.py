"""What was learned by asking hosts, kept with its age; and read for many pairs at once."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import timedelta
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from guests.migration.check_models import Asking, Pace, SharedProof, Way
from guests.migration.sides import Between, Needs, Reason, Side
from guests.models import Guest
from hosts.models import Host

ASKED_FOR = timedelta(hours=1)  # how long an answer about a guest counts
PROVED_FOR = timedelta(days=30)  # and a proof; each move proves anew
_NETWORKED = {"netfs", "gluster"}


@dataclass(frozen=True, slots=True)
class _Proofs:
    """What was seen of one pair of hosts."""

    proved: set[str]
    refuted: set[str]


class Records:
    """What is on record about these guests and their hosts. Four queries."""

    def __init__(self, guests: Collection[Guest]) -> None:
        homes = {guest.host_id for guest in guests if guest.host_id}
        now = timezone.now()
        rows = SharedProof.objects.filter(
            Q(first__in=homes) | Q(second__in=homes), at__gt=now - PROVED_FOR
        )
        self._proofs: defaultdict[tuple[int, int], _Proofs] = defaultdict(
            lambda: _Proofs(set(), set())
        )
        for first, second, path, ok in rows.values_list(
            "first", "second", "path", "ok"
        ):
            seen = self._proofs[first, second]
            (seen.proved if ok else seen.refuted).add(path)
        askings = Asking.objects.filter(guest__in=guests, at__gt=now - ASKED_FOR)
        self._askings = {(each.guest_id, each.target_id): each for each in askings}
        tried = Way.objects.filter(source__in=homes, at__gt=now - PROVED_FOR)
        self._ways = {(each.source_id, each.target_id): each for each in tried}
        self.paces = Pace.objects.in_bulk([guest.pk for guest in guests])

    def between(
        self, guest: Guest, needs: Needs, source: Side, target: Side
    ) -> Between:
        """What is known of this pair and this guest."""
        seen = self._proofs[_pair(source.id, target.id)]
        asking = self._askings.get((guest.pk, target.id))
        if asking and (asking.source_id != source.id or asking.live != needs.live):
            asking = None
        way = self._ways.get((source.id, target.id))
        found = reasons(asking.reasons) if asking else ()
        if way and needs.live and way.at > timezone.now() - ASKED_FOR:
            found += reasons(way.reasons)
        return Between(
            proved=frozenset(seen.proved),
            refuted=frozenset(seen.refuted),
            alike=frozenset(_alike(needs, source, target)),
            found=found,
            notes=reasons(way.notes) if way and needs.live else (),
            asked_at=asking.at if asking else None,
        )


def keep_proof(one: Host, other: Host, path: str, *, ok: bool, sentence: str) -> None:
    """Write down whether two hosts saw the same file there."""
    first, second = _pair(one.pk, other.pk)
    SharedProof.objects.update_or_create(
        first_id=first,
        second_id=second,
        path=path,
        defaults={"ok": ok, "sentence": sentence, "at": timezone.now()},
    )


def keep_asking(
    guest: Guest, target: Host, *, live: bool, reasons: Iterable[Reason]
) -> None:
    """Write down what both hosts said of this guest; none: nothing speaks against it."""
    if guest.host_id is None:
        return
    Asking.objects.update_or_create(
        guest=guest,
        target=target,
        defaults={
            "source_id": guest.host_id,
            "live": live,
            "reasons": [asdict(each) for each in reasons],
            "at": timezone.now(),
        },
    )


def keep_way(
    source: Host, target: Host, *, reasons: Iterable[Reason], notes: Iterable[Reason]
) -> None:
    """Write down whether one host reached the other, and how."""
    Way.objects.update_or_create(
        source=source,
        target=target,
        defaults={
            "reasons": [asdict(each) for each in reasons],
            "notes": [asdict(each) for each in notes],
            "at": timezone.now(),
        },
    )


def keep_unencrypted(source: Host, target: Host) -> None:
    """Write down that memory goes unencrypted there, though both have certificates."""
    keep_way(source, target, reasons=(), notes=[unencrypted(source.name, target.name)])


def unencrypted(source: str, target: str) -> Reason:
    """What is to be known where QEMU has no certificates."""
    return Reason(
        "unencrypted",
        f"Memory goes unencrypted from {source} to {target}: libvirt has certificates "
        "there, QEMU has none on one of the two.",
        "Put certificates into /etc/pki/qemu on both (migrate_tls_x509_cert_dir in "
        "qemu.conf).",
    )


def keep_pace(
    guest: UUID, *, dirty_bytes_s: int | None = None, used_bytes: int | None = None
) -> None:
    """Write down how fast a guest changes its memory and how much of it is in use."""
    told = {"dirty_bytes_s": dirty_bytes_s, "used_bytes": used_bytes}
    known = {name: value for name, value in told.items() if value is not None}
    if known:
        Pace.objects.update_or_create(
            guest_id=guest, defaults={**known, "at": timezone.now()}
        )


def reasons(told: list[dict[str, str]]) -> tuple[Reason, ...]:
    """What was kept as objects, as values."""
    return tuple(Reason(**each) for each in told)


def _pair(one: int, other: int) -> tuple[int, int]:
    return min(one, other), max(one, other)


def _alike(needs: Needs, source: Side, target: Side) -> Iterable[str]:
    """Directories of its disks that look like one storage: a hint, never believed."""
    for disk in needs.disks:
        here, there = source.pool_at(disk.directory), target.pool_at(disk.directory)
        if here is None or there is None:
            continue
        if {here.type, there.type} <= _NETWORKED or disk.path in target.paths:
            yield disk.directory
