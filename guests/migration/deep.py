"""May a guest move, by asking its host and the other one now. In a worker.

What it finds is kept in rows, so that pages can tell it with its age.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from django.utils import timezone

from guests.migration import known, reaching
from guests.migration.board import Board
from guests.migration.check_models import SharedProof
from guests.migration.may import may
from guests.migration.proving import prove
from guests.migration.sides import Between, Needs, PoolAt, Reason, Side, Verdict
from guests.models import Guest
from hosts.models import Host
from hosts.services import address_of, need_up
from kvmweb.errors import Conflict, HostError, NotFound
from kvmweb.operations.run import Run
from kvmweb.virt import comparing, connection, domains, migration
from kvmweb.virt.types import DomainState

FRESH = timedelta(minutes=10)  # a proof of this age is not made again


@dataclass(frozen=True, slots=True)
class _Heard:
    """What the two hosts said of one guest."""

    answer: comparing.Answer
    cpu_doubt: str  # why the target cannot give it its CPU; "" when it can


@dataclass(frozen=True, slots=True)
class _Pair:
    """The two hosts of a move, as rows and as values."""

    home: Host
    target: Host
    source: Side
    other: Side


def deep(
    run: Run,
    guest: Guest,
    target: Host,
    *,
    live: bool | None = None,
    anew: bool = False,
) -> Verdict:
    """The same as `checks` for one host, by asking both hosts now; for workers.

    Tries in passing whether their storage is one; `anew` also where that was tried a
    moment ago. What it found is kept for `checks`.
    Raises Conflict when one of the two is down, HostError when it cannot be asked.
    """
    if guest.host is None:
        raise NotFound(f"{guest.name} is gone: no host knows it any more.")
    if guest.host_id == target.pk:
        raise Conflict(f"{guest.name} is on {target.name} already.")
    need_up(guest.host)
    need_up(target)
    board = Board([guest], live=live, besides=run.operation)
    needs, source, other, between = board.case(guest, target.pk)
    heard = _hear(guest, target, needs)
    other = _as_heard(other, heard.answer)
    between = _proved(
        run, _Pair(guest.host, target, source, other), needs, between, anew=anew
    )
    found = tuple(_found(guest, other, heard))
    known.keep_asking(guest, target, live=needs.live, reasons=found)
    between = replace(between, found=found, asked_at=timezone.now())
    if needs.live:
        between = _reached(run, guest.host, target, between, anew=anew)
    return may(needs, source, other, between)


def _reached(
    run: Run, home: Host, target: Host, between: Between, *, anew: bool
) -> Between:
    """With what is known of the way between the two hosts."""
    if not (target.migration_address or target.address):
        return between  # that is a reason of its own
    way = reaching.tried(run, home, target, anew=anew)
    if way is None:
        return replace(between, notes=())
    reasons, notes = known.reasons(way.reasons), known.reasons(way.notes)
    return replace(between, found=(*between.found, *reasons), notes=notes)


def _hear(guest: Guest, target: Host, needs: Needs) -> _Heard:
    """Ask the source for the guest's document, the target for all about it."""
    if guest.host is None:
        raise NotFound(f"{guest.name} is gone: no host knows it any more.")
    question = comparing.Guest(
        uuid=guest.pk,
        name=guest.name,
        networks=tuple(nic.source for nic in needs.nics if nic.kind == "network"),
        secrets=needs.secrets,
        paths=tuple(disk.path for disk in needs.disks if disk.path),
    )
    with connection.connect(address_of(target)) as there:
        answer = there.run(comparing.ask, question)
        if not needs.live:
            return _Heard(answer, "")
        with connection.connect(address_of(guest.host)) as here:
            xml = here.run(domains.get_xml, guest.pk)
            doubt = there.run(comparing.cpu_doubt, xml)
            if doubt and here.run(comparing.cpu_doubt, xml):
                doubt = ""  # its own host says the same, and runs it
    return _Heard(answer, doubt)


def _as_heard(side: Side, answer: comparing.Answer) -> Side:
    """The target as it says it is now, with promises taken off as rows do."""
    left = side.memory_left_bytes
    if left is not None and answer.memory_free_bytes is not None:
        left = min(left, answer.memory_free_bytes)
    return replace(
        side,
        taken=answer.name_taken,
        networks={**side.networks, **answer.networks},
        paths=answer.paths,
        pools=tuple(_pool(pool, answer.pools.get(pool.target)) for pool in side.pools),
        memory_left_bytes=left,
    )


def _pool(pool: PoolAt, free_bytes: int | None) -> PoolAt:
    if free_bytes is None:
        return replace(pool, active=False)
    return replace(pool, active=True, free_bytes=min(pool.free_bytes, free_bytes))


def _proved(
    run: Run, pair: _Pair, needs: Needs, between: Between, *, anew: bool
) -> Between:
    """Try each directory of its disks that both hosts have a pool for."""
    fresh = set() if anew else _fresh(pair.home, pair.target)
    proved, refuted = set(between.proved), set(between.refuted)
    for directory in dict.fromkeys(disk.directory for disk in needs.disks if disk.path):
        here = pair.source.pool_at(directory)
        there = pair.other.pool_at(directory)
        if not (here and there and here.active and there.active):
            proved.discard(directory)
            continue
        if directory in fresh:
            continue
        try:
            ok = prove(pair.home, pair.target, here.name, there.name, directory)
        except HostError as error:
            run.log(f"It could not be tried whether {directory} is shared. {error}")
            ok = False
        (proved if ok else refuted).add(directory)
        (refuted if ok else proved).discard(directory)
    return replace(between, proved=frozenset(proved), refuted=frozenset(refuted))


def _fresh(home: Host, target: Host) -> set[str]:
    """Directories that were tried a moment ago."""
    rows = SharedProof.objects.filter(
        first__in=(home, target), second__in=(home, target)
    )
    recent = rows.filter(at__gt=timezone.now() - FRESH)
    return set(recent.values_list("path", flat=True))


def _found(guest: Guest, other: Side, heard: _Heard) -> Iterator[Reason]:
    """What only the two hosts can say."""
    answer = heard.answer
    if answer.uuid_there:
        yield Reason(
            "uuid_there",
            f"{other.name} has {guest.name} already, under the same UUID.",
            f"Undefine one of the two; make sure first that it is the one on "
            f"{other.name}.",
            "check",
        )
    if heard.cpu_doubt:
        yield Reason(
            "cpu",
            f"{other.name} cannot give {guest.name} its CPU: {heard.cpu_doubt}.",
            "Give the guest a CPU model that both hosts have.",
            "check",
        )
    if answer.missing_secrets:
        yield Reason(
            "secrets",
            f"{other.name} does not have the secrets that its disks are opened with: "
            f"{', '.join(answer.missing_secrets)}.",
            f"Define the same secrets on {other.name}.",
            "check",
        )


def measure(guest: Guest) -> None:
    """See how fast it changes its memory, and keep it. Takes about a second."""
    if guest.host is None or guest.state != DomainState.RUNNING:
        return
    with connection.connect(address_of(guest.host)) as here:
        rate = here.run(migration.dirty_rate, guest.pk)
    known.keep_pace(guest.pk, dirty_bytes_s=rate)
