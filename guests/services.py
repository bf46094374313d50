"""What a person can ask of a guest: decide, write down an operation, return at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from django.db import transaction

from guests import access, actions, charging, edits, labelling, queries, removal
from guests.actions import Action
from guests.book import announce
from guests.edits import Edit
from guests.folders.ledger import Full
from guests.hardware import checks
from guests.hardware.wishes import NOW, Hardware
from guests.models import Guest
from guests.removal import Fate
from hosts import services as host_services
from hosts.models import Host
from hosts.storage.claims import claim
from kvmweb.accounts import audit
from kvmweb.accounts.gate import Right, may, sees_all
from kvmweb.accounts.models import User
from kvmweb.accounts.services import Asker
from kvmweb.errors import Conflict, Forbidden
from kvmweb.operations.models import Operation
from kvmweb.operations.registry import label_of
from kvmweb.operations.services import submit
from kvmweb.virt.types import DomainState, Transport

_GONE = "{} is gone: no host knows it any more."


def act(guest: Guest, action: str, *, by: User | None, address: str = "") -> Operation:
    """Do one of `actions.KINDS` to a guest; `by` nobody: kvmweb itself does.

    Raises Conflict when its state does not allow it, its host does not answer, it is
    on two hosts at once, or it is busy.
    """
    _need_one_home(guest, by)
    if refused := _refusal(guest, action):
        raise Conflict(refused)
    _need_host(guest, by)
    return submit_for(f"guest.{action}", guest, by, address)


def start(guest: Guest, *, by: User, address: str = "") -> Operation:
    """Power it on. Raises Conflict as `act`."""
    return act(guest, "start", by=by, address=address)


def shutdown(guest: Guest, *, by: User, address: str = "") -> Operation:
    """Ask it to power off: its agent, else ACPI. Raises Conflict as `act`."""
    return act(guest, "shutdown", by=by, address=address)


def reboot(guest: Guest, *, by: User, address: str = "") -> Operation:
    """Ask it to restart: its agent, else ACPI. Raises Conflict as `act`."""
    return act(guest, "reboot", by=by, address=address)


def reset(guest: Guest, *, by: User, address: str = "") -> Operation:
    """Press its reset button. Raises Conflict as `act`."""
    return act(guest, "reset", by=by, address=address)


def force_off(guest: Guest, *, by: User, address: str = "") -> Operation:
    """Pull its plug. Raises Conflict as `act`."""
    return act(guest, "force-off", by=by, address=address)


def pause(guest: Guest, *, by: User, address: str = "") -> Operation:
    """Stop its CPUs. Raises Conflict as `act`."""
    return act(guest, "pause", by=by, address=address)


def resume(guest: Guest, *, by: User, address: str = "") -> Operation:
    """Let its CPUs go on. Raises Conflict as `act`."""
    return act(guest, "resume", by=by, address=address)


def save(guest: Guest, *, by: User, address: str = "") -> Operation:
    """Write its memory to disk and stop it. Raises Conflict as `act`."""
    return act(guest, "save", by=by, address=address)


def offered(guest: Guest, user: User, operation: Operation | None) -> list[Action]:
    """The buttons of its page: what this person may do, and why not now.

    Empty for those who may never. `operation` is what is under way on it.
    """
    if not access.may_on(user, guest, Right.OPERATE):
        return []
    reason = _why_nothing(guest, user, operation)
    found = []
    for kind in actions.KINDS.values():
        why = reason or _refusal(guest, kind.name)
        found.append(Action(kind.name, kind.label, not why, why, kind.danger))
    return found


def set_autostart(
    guest: Guest, *, enabled: bool, by: User, address: str = ""
) -> Operation:
    """Whether it starts with its host. Raises Conflict."""
    _need_one_home(guest, by)
    _need_host(guest, by)
    if not guest.persistent:
        raise Conflict(f"{guest.name} is transient: it cannot start with its host.")
    if enabled and guest.template:
        raise Conflict(f"{guest.name} is a template and is never started.")
    return submit_for("guest.autostart", guest, by, address, {"enabled": enabled})


def edit(
    guest: Guest,
    change: Edit,
    *,
    by: User,
    address: str = "",
    hardware: Hardware | None = None,
    when: str = NOW,
) -> Operation | None:
    """Change what people say of a guest, and its hardware; the operation, if there is one.

    Owner, tags and protection are ours and true at once (a copy is written to the host
    when it can be). Hardware changes `when` it can: now where that is possible.
    Raises Invalid, Forbidden for an owner set by others than admins and for hardware
    without the right to, Conflict when the host must be told and cannot be.
    """
    wanted = edits.checked(guest, change)
    if wanted.owner is not None and not may(by, Right.MANAGE_USERS):
        raise Forbidden("Only an administrator may give a guest to somebody else.")
    if wanted.project is not None and not may(by, Right.MANAGE_PROJECTS):
        raise Forbidden("Only an administrator may give a guest to a project.")
    operation = None
    with transaction.atomic():
        _charge(guest, wanted, by)
        if hardware:
            need_changeable(guest, by)
            params = checks.hardware(guest, hardware, by=by) | {"when": when}
            params["words"] = wanted.for_host()
            operation = submit_for("guest.change", guest, by, address, params)
        elif told := wanted.for_host():
            need_there(guest, by)
            operation = submit_for("guest.edit", guest, by, address, told)
        if ours := edits.apply(guest, wanted):
            details = {name: getattr(wanted, name) for name in ours}
            audit.record(
                "guest.edit",
                actor=by,
                target=guest.topic,
                outcome="succeeded",
                address=address,
                details=details,
            )
            labelling.one(guest, Asker(by, address))
            announce({guest.pk})
        if hardware and (more := _growth(guest, hardware)) != charging.Size():
            charging.growing(guest, more)  # where it lies by its new tags
    return operation


def _charge(guest: Guest, wanted: Edit, by: User) -> None:
    """Ask who keeps account of it. Raises Conflict when it may not be so."""
    if wanted.tags is not None:
        try:
            charging.tagged(guest, wanted.tags)
        except Full as error:
            raise error.told(by) from error
    if wanted.project is not None:
        charging.given(guest, edits.project_of(wanted.project))


def _growth(guest: Guest, wish: Hardware) -> charging.Size:
    """What it would have more than now; less where it shrinks."""
    vcpus = guest.vcpus if wish.vcpus is None else wish.vcpus
    memory = guest.memory_bytes if wish.memory_bytes is None else wish.memory_bytes
    return charging.Size(vcpus - guest.vcpus, memory - guest.memory_bytes)


def delete(
    guest: Guest, *, volumes: bool, by: User | None, address: str = ""
) -> Operation:
    """Make its host forget it; with `volumes`, also those that nobody else uses.

    Exactly the volumes that `removal.plan` names now can be deleted, each only if the
    host still finds it unused. `by` nobody: kvmweb itself does. Raises Conflict when it
    is protected, not off, on two hosts, busy, or when somebody who may use the volumes
    cannot be asked.
    """
    if reason := why_not_delete(guest):
        raise Conflict(reason)
    _need_one_home(guest, by)
    _need_host(guest, by)
    fates = _planned(guest, by) if volumes else []
    params: dict[str, list[Any]] = {
        "volumes": [fate.path for fate in fates if fate.deleted],
        "kept": [{"path": it.path, "why": it.why} for it in fates if not it.deleted],
    }
    with transaction.atomic():
        operation = submit_for("guest.delete", guest, by, address, params)
        if guest.host:
            with _discreet(guest, by):
                claim(operation, guest.host, params["volumes"], destroys=True)
    return operation


def fates(guest: Guest, by: User) -> tuple[list[Fate], str]:
    """What `volumes` would do to each disk, and why it cannot be deleted now at all.

    Who sees no hosts reads neither where the volumes lie nor who else uses them.
    """
    reason = why_not_delete(guest)
    try:
        found = _planned(guest, by)
    except Conflict as error:
        return [], reason or str(error)
    if not _knows_hosts(by):
        found = [removal.discreet(fate) for fate in found]
    return found, reason


def why_not_delete(guest: Guest) -> str:
    """Why it cannot be deleted now, as a sentence; "" when it can."""
    name = guest.name
    if guest.state == DomainState.GONE:
        return f"{name} is gone: no host knows it any more."
    if guest.protected:
        return f"{name} is protected from deletion: take its protection away first."
    if guest.state == DomainState.UNKNOWN:
        return ""  # the host's own sentence says more
    if guest.state not in {DomainState.SHUTOFF, DomainState.CRASHED}:
        return f"{name} is {guest.state}: shut it down or force it off first."
    return ""


def start_demo(*, by: User, address: str = "") -> Operation:
    """Make a small guest on this machine and start it.

    Raises Forbidden, Conflict when this machine is no host or does not answer.
    """
    access.need_demo(by)
    host = demo_host()
    if host is None:
        raise Conflict(
            "This machine is not one of the hosts, or does not answer now.",
            hint="A demo guest needs the local host, and that host up.",
        )
    if host.maintenance:
        raise Conflict(f"{host.name} is in maintenance: no new guests there.")
    taken = set(host.guests.values_list("name", flat=True))
    name = next(n for i in range(1, 10_000) if (n := f"demo-{i}") not in taken)
    return submit(
        "guest.start-demo",
        by=by,
        guest=uuid4(),
        guest_name=name,
        host=host.pk,
        host_name=host.name,
        address=address,
        expires_s=None,
    )


def demo_host() -> Host | None:
    """Where a demo guest can be made now: this machine, as a host that is up."""
    local = Host.objects.filter(transport=Transport.LOCAL, state=Host.State.UP)
    return local.first()


def need_changeable(guest: Guest, by: User) -> None:
    """Nothing. Raises Conflict for a template, which never changes, and as `need_there`."""
    if guest.template:
        raise Conflict(
            f"{guest.name} is a template: its hardware and its disks never change.",
            hint="Make it a guest again first, or clone it.",
        )
    need_there(guest, by)


def need_there(guest: Guest, by: User) -> None:
    """Nothing. Raises Conflict when its host cannot be asked, or it is on two at once."""
    _need_one_home(guest, by)
    _need_host(guest, by)


def submit_for(
    kind: str,
    guest: Guest,
    by: User | None,
    address: str,
    params: dict[str, Any] | None = None,
) -> Operation:
    """An operation on the guest, where it is now. Raises Conflict when it is busy."""
    return submit(
        kind,
        by=by,
        guest=guest.pk,
        guest_name=guest.name,
        host=guest.host_id,
        host_name=guest.host.name if guest.host else "",
        params=params,
        address=address,
    )


def _refusal(guest: Guest, action: str) -> str:
    if guest.state == DomainState.UNKNOWN:
        return ""  # what its host says of itself is the better sentence
    if guest.template and action == "start":
        return f"{guest.name} is a template and is never started: clone it."
    return actions.refusal(
        action,
        guest.name,
        guest.state,
        reason=guest.state_reason,
        persistent=guest.persistent,
    )


def _knows_hosts(by: User | None) -> bool:
    """Whether hosts may be named to them; to kvmweb itself they may."""
    return by is None or sees_all(by)


def _planned(guest: Guest, by: User | None) -> list[Fate]:
    with _discreet(guest, by):
        return removal.plan(guest)


@contextmanager
def _discreet(guest: Guest, by: User | None) -> Iterator[None]:
    """What is said of other hosts and guests is not for who sees none of them."""
    try:
        yield
    except Conflict as error:
        if _knows_hosts(by):
            raise
        raise Conflict(
            f"Nobody can say now who else uses the volumes of {guest.name}.",
            hint="Try again later, or ask those who run the hosts.",
        ) from error


def need_known(guest: Guest) -> None:
    """Nothing. Raises Conflict for one that is gone."""
    if guest.state == DomainState.GONE:
        raise Conflict(_GONE.format(guest))


def _need_host(guest: Guest, by: User | None) -> None:
    """Nothing. Raises Conflict when its host cannot be asked; users see no hosts."""
    if guest.host is None or guest.state == DomainState.GONE:
        raise Conflict(_GONE.format(guest))
    if guest.host.state != Host.State.UP and not _knows_hosts(by):
        raise Conflict(f"The host of {guest.name} does not answer now.")
    host_services.need_up(guest.host)
    if guest.state == DomainState.UNKNOWN:
        raise Conflict(f"The state of {guest.name} is not known; look again shortly.")


def _need_one_home(guest: Guest, by: User | None) -> None:
    """Nothing. Raises Conflict naming the hosts when it is on several at once."""
    others = [twin.host.name for twin in queries.twins(guest) if not twin.moving]
    if others and not _knows_hosts(by):
        raise Conflict(f"{guest.name} is on two hosts at once; an operator must help.")
    if others:
        home = guest.host.name if guest.host else "no host"
        raise Conflict(
            f"{guest.name} is in conflict: the same UUID is on {home} and on "
            f"{' and '.join(others)}.",
            hint="Undefine it on all hosts but one; both copies on one disk destroy it.",
        )


def _why_nothing(guest: Guest, by: User, operation: Operation | None) -> str:
    """Why no action at all can be asked for now."""
    if operation is not None:
        return f"{guest.name} is busy: “{label_of(operation.kind)}” is under way."
    try:
        _need_one_home(guest, by)
        if guest.state != DomainState.GONE:
            _need_host(guest, by)
    except Conflict as error:
        return error.detail
    return ""
