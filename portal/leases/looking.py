"""What leases do by themselves, every minute: the steps of `steps`, one at a look.

Each is one transaction with the lease locked, so that whoever extends it meanwhile is
either before it, and nothing is done, or after it, and can take it back.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from guests import services as guests
from guests.book import announce
from guests.models import Guest
from hosts.models import Host
from kvmweb.accounts import audit
from kvmweb.errors import AppError
from kvmweb.operations.ending import SYSTEM, ended
from kvmweb.operations.models import Operation
from kvmweb.virt.types import DomainState
from portal.leases import messages
from portal.leases.models import Lease, Looking
from portal.leases.steps import HOUR, MINUTE, Do, Rules, Seen, State, Step, Watch
from portal.leases.steps import next_step as after

RULES = Rules()
PAUSE = 10 * MINUTE  # nobody looked for so long: everything is said once more
LONG_PAUSE = (
    HOUR  # nobody looked for so long: a person must say that these rows are true
)
_AGAIN = 5 * MINUTE
_AGAIN_DELETING = HOUR


def look(now: datetime) -> int:
    """Take the step that is due for each lease; how many were taken."""
    watch = _watch(now)
    leases = list(Lease.objects.exclude(state=State.ENDED))
    known = _guests([lease.guest for lease in leases])
    taken = 0
    for lease in leases:
        guest = known.get(lease.guest)
        step = after(lease.term, _seen(guest), now, watch, RULES)
        if step.do != Do.NOTHING:
            taken += _take(lease.pk, now, watch)
        elif (lease.said, lease.next_at) != (step.why, step.at):
            rows = Lease.objects.filter(pk=lease.pk, state=lease.state)
            rows.update(said=step.why, next_at=step.at)
    return taken


def _watch(now: datetime) -> Watch:
    """Since when somebody looks, this look included; a pause is noticed by its row."""
    with transaction.atomic():
        first = {"since": now, "last_at": now}
        row, _ = Looking.objects.select_for_update().get_or_create(
            pk=Looking.THE, defaults=first
        )
        pause = abs(now - row.last_at)  # a clock that was set back is no better
        if pause > PAUSE:
            row.since = now
        if pause > LONG_PAUSE and not row.held and _any():
            row.held = True
            messages.held()
        row.last_at = now
        row.save()
    return Watch(row.since, row.held)


def _any() -> bool:
    return Lease.objects.exclude(state=State.ENDED).exists()


def _take(lease_id: int, now: datetime, watch: Watch) -> bool:
    """Take the step that is due by what stands there now; whether there was one."""
    with transaction.atomic():
        rows = Lease.objects.select_for_update(of=("self",)).select_related("project")
        lease = rows.get(pk=lease_id)
        guest = _guests([lease.guest]).get(lease.guest)
        step = after(lease.term, _seen(guest), now, watch, RULES)
        if step.do == Do.NOTHING or guest is None:
            return False
        lease.guest_name, lease.said = guest.name, step.why
        _DEEDS[step.do](lease, guest, now, step)
        lease.save()
        announce({guest.pk})
    return True


def _remind(lease: Lease, guest: Guest, now: datetime, _step: Step) -> None:
    lease.reminded_at = now
    messages.ending(lease, guest, now, now + RULES.answer)


def _shut_down(lease: Lease, guest: Guest, now: datetime, _step: Step) -> None:
    lease.state, lease.stopping_since = State.STOPPED, now
    if guest.state == DomainState.RUNNING:
        _ask(lease, lambda: guests.act(guest, "shutdown", by=None))
    messages.stopped(lease, guest)


def _force_off(lease: Lease, guest: Guest, now: datetime, _step: Step) -> None:
    lease.quiet_until = now + _AGAIN
    _ask(lease, lambda: guests.act(guest, "force-off", by=None))


def _keep(lease: Lease, guest: Guest, now: datetime, _step: Step) -> None:
    lease.state = State.KEPT
    lease.keeps_until = now + timedelta(days=lease.keeps_days)
    lease.stopping_since = lease.quiet_until = None
    _record("lease.keep", lease)
    messages.kept(lease, guest)


def _revive(lease: Lease, _guest: Guest, _now: datetime, _step: Step) -> None:
    lease.begin_again(lease.ends_at)


def _warn(lease: Lease, guest: Guest, now: datetime, _step: Step) -> None:
    lease.warned_at, lease.spared = now, False
    delete_at = max(lease.keeps_until or now, now + RULES.warning)
    messages.warned(lease, guest, delete_at)


def _spare(lease: Lease, guest: Guest, _now: datetime, _step: Step) -> None:
    lease.spared = True
    messages.spared(lease, guest)


def _delete(lease: Lease, guest: Guest, now: datetime, _step: Step) -> None:
    lease.quiet_until = now + _AGAIN_DELETING
    _ask(lease, lambda: guests.delete(guest, volumes=True, by=None))


_DEEDS: dict[Do, Callable[[Lease, Guest, datetime, Step], None]] = {
    Do.REMIND: _remind,
    Do.SHUT_DOWN: _shut_down,
    Do.FORCE_OFF: _force_off,
    Do.KEEP: _keep,
    Do.REVIVE: _revive,
    Do.WARN: _warn,
    Do.SPARE: _spare,
    Do.DELETE: _delete,
}


def _ask(lease: Lease, ask: Callable[[], Operation]) -> None:
    """Submit it as nobody's wish; why it cannot be now is said in the row."""
    try:
        with transaction.atomic():
            lease.operation = ask().pk
    except AppError as error:
        lease.said = str(error)


@ended("guest.delete")
def followed(operation: Operation) -> None:
    """A guest was deleted, by its lease or by anybody: its lease has ended."""
    if operation.state != Operation.State.SUCCEEDED or operation.guest is None:
        return
    rows = Lease.objects.select_for_update(of=("self",)).exclude(state=State.ENDED)
    lease = rows.filter(guest=operation.guest).first()
    if lease is None:
        return
    lease.state, lease.said, lease.next_at = State.ENDED, "", None
    lease.save()
    guest = _guests([lease.guest]).get(lease.guest)
    if guest is not None and lease.operation == operation.pk:
        messages.deleted(lease, guest, operation)


def _guests(uuids: list[UUID]) -> dict[UUID, Guest]:
    """The guests, each with what is under way on it. Two queries."""
    rows = Guest.objects.select_related("host", "owner", "project").in_bulk(uuids)
    busy = Operation.objects.filter(state__in=Operation.ACTIVE, guest__isnull=False)
    for operation in busy.only("guest"):
        if operation.guest in rows:
            rows[operation.guest].active_operation = operation
    return rows


def _seen(guest: Guest | None) -> Seen | None:
    if guest is None:
        return None
    return Seen(
        state=DomainState(guest.state),
        busy=guest.active_operation is not None,
        answers=guest.host is not None and guest.host.state == Host.State.UP,
        protected=guest.protected or guest.template,
    )


def _record(action: str, lease: Lease) -> None:
    audit.record(
        action,
        actor=SYSTEM,
        target=f"guest:{lease.guest}",
        outcome="succeeded",
        details={"name": lease.guest_name},
    )
