"""Deleting a guest: never more than was named, never what somebody else uses."""

import time
from datetime import timedelta
from typing import Any

from django.utils import timezone

from guests import removal
from guests.far import OFF, Far, far_guest
from guests.models import Guest
from hosts.models import Host
from hosts.services import address_of
from kvmweb.errors import Conflict, HostError, NotFound
from kvmweb.operations.models import Operation
from kvmweb.operations.run import Run
from kvmweb.virt import connection, domains, storage

_TURN_S = 120.0


def delete(run: Run) -> dict[str, Any]:
    """Undefine the guest and delete the volumes its operation names, if nobody uses them.

    Raises Conflict when it runs, is protected by now, or a host that may use the same
    storage cannot be asked. A volume that is kept is named with the reason.
    """
    guest = _guest(run)
    before: list[str] = run.result.get("deleted", [])  # by a worker that died
    asked = [it for it in run.params.get("volumes", []) if it not in before]
    kept: dict[str, str] = {it["path"]: it["why"] for it in run.params.get("kept", [])}
    with far_guest(run) as far:
        if (state := far.state()) not in OFF:
            raise Conflict(
                f"{guest.name} is {state} by now: shut it down or force it off first."
            )
        if asked:
            _wait_for_turn(run)
            run.progress(0.2, "looking who else uses its volumes")
            kept |= _in_use(guest, far, asked)
        run.progress(0.4, "undefining")
        far.make(domains.undefine, {None})
        run.log(f"{far.host.name} has forgotten {guest.name}.")
    deleted = before + _delete_volumes(run, asked, kept)
    for path, why in kept.items():
        run.log(f"Kept {path or 'a disk'}. {why}")
    run.say(_sentence(guest.name, deleted, kept))
    return {"deleted": deleted, "kept": _told(kept)}


def _guest(run: Run) -> Guest:
    rows = Guest.objects.select_related("host")
    guest = rows.filter(pk__in=[run.operation.guest]).first()
    if guest is None:
        raise NotFound(f"{run.operation.guest_name} is not known any more.")
    if guest.protected:
        raise Conflict(f"{guest.name} was protected from deletion meanwhile.")
    if guest.host_id not in {run.operation.host, None}:
        raise Conflict(f"{guest.name} has moved to another host meanwhile.")
    return guest


def _wait_for_turn(run: Run) -> None:
    """Until no deletion that was asked for earlier goes on.

    Two at once could each delete what the other has just found unused.
    """
    me = run.operation
    earlier = Operation.objects.filter(
        kind="guest.delete",
        state=Operation.State.RUNNING,
        lease_until__gt=timezone.now() - timedelta(seconds=1),
        created_at__lt=me.created_at,
    ).exclude(pk=me.pk)
    until = time.monotonic() + _TURN_S
    while earlier.exists():
        run.progress(0.1, "waiting for another deletion to end")
        if time.monotonic() > until:
            raise Conflict("Another deletion takes too long; try again later.")
        time.sleep(0.2)


def _in_use(guest: Guest, far: Far, paths: list[str]) -> dict[str, str]:
    """The volumes that must be kept, and why; the hosts themselves are asked."""
    now = {fate.path: fate.why for fate in removal.plan(guest)}
    kept = {path: now.get(path, "It is no disk of it any more.") for path in paths}
    kept = {path: why for path, why in kept.items() if why}
    for host in removal.hosts_sharing(guest, paths):
        for path, names in _users(host, far, guest, paths).items():
            if names:
                kept[path] = f"It is also used by {', '.join(names)} on {host.name}."
    return kept


def _users(
    host: Host, far: Far, guest: Guest, paths: list[str]
) -> dict[str, list[str]]:
    """Other domains of this host that use the volumes. Raises HostError."""
    if host.pk == far.host.pk:
        users = far.there.run(storage.users_of, tuple(paths))
    else:
        with connection.connect(address_of(host)) as there:
            users = there.run(storage.users_of, tuple(paths))
    return {
        path: [it.name for it in told if it.uuid != guest.pk]
        for path, told in users.items()
    }


def _delete_volumes(run: Run, asked: list[str], kept: dict[str, str]) -> list[str]:
    """Those that are deleted; why others are not goes to `kept`."""
    before: list[str] = run.result.get("deleted", [])
    deleted: list[str] = []
    for path in asked:
        if path in kept:
            continue
        run.progress(0.5 + 0.5 * len(deleted) / len(asked), f"deleting {path}")
        if why := _delete_volume(run, path):
            kept[path] = why
        else:
            deleted.append(path)
            run.log(f"Deleted {path}.")
        run.keep(deleted=before + deleted, kept=_told(kept))
    return deleted


def _delete_volume(run: Run, path: str) -> str:
    """Why it was not deleted; "" when it was."""
    try:
        # A connection of its own: one that was not answered in time is no good.
        with far_guest(run) as far:
            far.there.run(storage.delete_volume, path, owner=far.uuid)
    except NotFound:
        return ""
    except (Conflict, HostError) as error:
        return str(error)
    return ""


def _told(kept: dict[str, str]) -> list[dict[str, str]]:
    return [{"path": path, "why": why} for path, why in kept.items()]


def _sentence(name: str, deleted: list[str], kept: dict[str, str]) -> str:
    said = f"{name} was deleted"
    if deleted:
        said += f" with {', '.join(deleted)}"
    if kept:
        said += f"; kept: {', '.join(path or 'a disk' for path in kept)}"
    return f"{said}." if deleted or kept else f"{said}; no volume was touched."
