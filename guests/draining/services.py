"""What a person can ask of convoys: rehearse, empty a host, pause, stop, bring home."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from guests.draining import gathering, leading
from guests.draining.models import Convoy, Home, Step
from guests.draining.planning import Plan, PlannedMove, Stuck
from guests.models import Guest
from hosts import announce
from hosts.evacuating import LEAVE, SHUT_DOWN, SUSPEND, Ways, evacuates, is_emptied
from hosts.models import Host
from hosts.services import need_up
from kvmweb.accounts.models import User
from kvmweb.errors import Conflict
from kvmweb.operations.ending import settle
from kvmweb.operations.models import Operation
from kvmweb.operations.services import cancel, group

Deed, Purpose = Step.Deed, Convoy.Purpose
_FATES = {LEAVE: Deed.LEAVE, SHUT_DOWN: Deed.SHUT_DOWN, SUSPEND: Deed.SUSPEND}


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What would happen if the host were emptied now."""

    plan: Plan  # of those that run
    off: Plan  # of those that are off, should they move, too


def rehearse(host: Host) -> Rehearsal:
    """Each guest of the host, where to and why, what is stuck; changes nothing."""
    return Rehearsal(
        gathering.planned(gathering.guests_of(host, running=True), leaving=[host.pk]),
        gathering.planned(gathering.guests_of(host, running=False), leaving=[host.pk]),
    )


@evacuates
def evacuate(host: Host, ways: Ways, by: User, address: str = "") -> Operation:
    """Put the host in maintenance and move its guests away, a few at a time.

    Exactly what `rehearse` says now. Raises Conflict when it is emptied already, or
    does not answer.
    """
    need_up(host)
    with transaction.atomic():
        _lock_hosts()
        if told := under_way(host):
            raise Conflict(told, hint="Wait for its end, or cancel it.")
        found = rehearse(host)
        Host.objects.filter(pk=host.pk).update(maintenance=True)
        host.maintenance = True
        parent = group(
            leading.EVACUATE,
            by=by,
            address=address,
            host=host.pk,
            host_name=host.name,
            params={"stuck": ways.stuck, "carry": ways.carry},
        )
        convoy = Convoy.objects.create(
            operation=parent.pk,
            purpose=Purpose.EVACUATE,
            host=host,
            host_name=host.name,
            per_target=ways.per_target,
            per_source=ways.per_source,
            per_link=ways.per_target,
        )
        _write(convoy, _steps_of(found, ways))
        announce.changed(host)
    return _begun(parent)


@is_emptied
def under_way(host: Host) -> str:
    """That guests leave or come home just now, as a sentence; "" when none do."""
    convoy = Convoy.objects.filter(host=host, ended_at=None).first()
    if convoy is None:
        return ""
    what = "brought home to" if convoy.purpose == Purpose.RETURN else "moved away from"
    return f"Guests are being {what} {host.name} (operation {convoy.pk})."


def bring_home(
    host: Host,
    *,
    by: User,
    address: str = "",
    only: Collection[UUID] | None = None,
    per_target: int = 2,
) -> Operation:
    """Move back what left when the host was emptied, and start what was stopped then.

    Raises Conflict when it is in maintenance or does not answer, or nothing is away.
    """
    need_up(host)
    if host.maintenance:
        raise Conflict(
            f"{host.name} is in maintenance: no guests go there.",
            hint="End its maintenance first.",
        )
    with transaction.atomic():
        _lock_hosts()
        if told := under_way(host):
            raise Conflict(told, hint="Wait for its end, or cancel it.")
        homes = [it for it in away(host) if only is None or it.guest in only]
        if not homes:
            raise Conflict(f"No guests of {host.name} are away since it was emptied.")
        parent = group(
            leading.RETURN,
            by=by,
            address=address,
            host=host.pk,
            host_name=host.name,
            params={"guests": [str(home.guest) for home in homes]},
        )
        convoy = Convoy.objects.create(
            operation=parent.pk,
            purpose=Purpose.RETURN,
            host=host,
            host_name=host.name,
            per_target=per_target,
            per_source=4,
            per_link=per_target,
        )
        _write(convoy, _steps_home(host, homes))
    return _begun(parent)


def balance(
    moves: Sequence[PlannedMove], *, by: User, address: str = "", why: str = ""
) -> Operation:
    """Make these moves, a few at a time. Raises Conflict when there are none."""
    if not moves:
        raise Conflict("There is nothing to be moved.")
    with transaction.atomic():
        parent = group(leading.BALANCE, by=by, address=address, params={"why": why})
        convoy = Convoy.objects.create(
            operation=parent.pk, purpose=Purpose.BALANCE, per_source=2
        )
        _write(convoy, [_move(it, Deed.MOVE) for it in moves])
    return _begun(parent)


def away(host: Host) -> list[Home]:
    """What left when it was emptied and has not come home yet, by name."""
    return list(Home.objects.filter(host=host))


def forget(host: Host) -> None:
    """Where its guests are now is their home from now on."""
    Home.objects.filter(host=host).delete()


def pause(convoy: Convoy, *, paused: bool) -> Convoy:
    """Begin nothing more, or go on; what is under way goes on."""
    Convoy.objects.filter(pk=convoy.pk, ended_at=None).update(paused=paused)
    settle(convoy.pk)
    convoy.refresh_from_db()
    return convoy


def stop(
    operation: Operation, *, gently: bool, by: User, address: str = ""
) -> Operation:
    """Begin nothing more; what is under way ends as it would, or is cancelled, too."""
    return cancel(operation, by=by, address=address, gently=gently)


def convoy_of(operation: Operation) -> Convoy | None:
    """The convoy this operation leads, with its steps."""
    rows = Convoy.objects.filter(pk=operation.pk).prefetch_related("steps")
    return rows.first()


def _begun(parent: Operation) -> Operation:
    settle(parent.pk)
    parent.refresh_from_db()
    return parent


def _lock_hosts() -> None:
    """One plan at a time: what is promised to one must not be promised to the next."""
    list(Host.objects.select_for_update().order_by("pk").values_list("pk"))


def _steps_of(found: Rehearsal, ways: Ways) -> Iterable[Step]:
    yield from (_move(move, Deed.MOVE) for move in found.plan.moves)
    for stuck in found.plan.stuck:
        yield _stay(stuck, _FATES[ways.choices.get(stuck.guest, ways.stuck)])
    if ways.carry:
        yield from (_move(move, Deed.CARRY) for move in found.off.moves)
        yield from (_stay(stuck, Deed.LEAVE) for stuck in found.off.stuck)


def _steps_home(host: Host, homes: Sequence[Home]) -> Iterable[Step]:
    guests = Guest.objects.select_related("host").in_bulk([it.guest for it in homes])
    for home in homes:
        guest = guests.get(home.guest)
        if guest is None or guest.state == "gone":
            home.delete()
            continue
        if guest.host_id != host.pk:
            on = guest.state in ("running", "paused")
            deed = Deed.MOVE if on else Deed.CARRY
            step = Step(guest=guest.pk, guest_name=guest.name, deed=deed)
            step.target, step.target_name = host.pk, host.name
            step.vcpus, step.memory_bytes = guest.vcpus, guest.memory_bytes
        elif home.deed in (Deed.SHUT_DOWN, Deed.SUSPEND) and guest.state == "shutoff":
            step = Step(guest=guest.pk, guest_name=guest.name, deed=Deed.START)
        else:
            home.delete()
            continue
        step.why = [f"It was on {host.name} before that was emptied."]
        yield step


def _move(move: PlannedMove, deed: Step.Deed) -> Step:
    return Step(
        guest=UUID(move.guest),
        guest_name=move.name,
        deed=deed,
        target=move.host,
        target_name=move.host_name,
        vcpus=move.vcpus,
        memory_bytes=move.memory_bytes,
        storage=move.offer.storage,
        estimate=move.offer.as_json(),
        why=list(move.why),
    )


def _stay(stuck: Stuck, deed: Step.Deed) -> Step:
    return Step(
        guest=UUID(stuck.guest),
        guest_name=stuck.name,
        deed=deed,
        why=[
            f"{it.host}: {it.message}" if it.host else it.message
            for it in stuck.reasons
        ],
    )


def _write(convoy: Convoy, steps: Iterable[Step]) -> None:
    found = list(steps)
    rows = Guest.objects.filter(pk__in=[it.guest for it in found])
    places = {
        pk: (at, name) for pk, at, name in rows.values_list("pk", "host", "host__name")
    }
    for number, step in enumerate(found):
        at, name = places.get(step.guest, (None, ""))
        step.convoy, step.number = convoy, number
        step.source, step.source_name = at, name or ""
    Step.objects.bulk_create(found)
