"""Asking both hosts of possible moves, in a worker. It changes nothing on them."""

from typing import Any
from uuid import UUID

from guests.access import guest as permitted
from guests.migration import deep, proving, suspecting
from guests.migration.asking import KIND
from guests.models import Guest
from hosts.models import Host
from kvmweb.accounts.gate import Right
from kvmweb.errors import AppError, NotFound
from kvmweb.operations.models import Operation
from kvmweb.operations.registry import Recovery, work
from kvmweb.operations.run import Run


def _allowed(operation: Operation) -> None:
    """Nothing, if who asked may still see where it could move. Raises Forbidden."""
    if operation.requested_by:
        guest = UUID(operation.params["guest"])
        permitted(operation.requested_by, guest, Right.MIGRATE)


def _again(_run: Run) -> Recovery:
    """It only asks."""
    return Recovery.AGAIN


@work(KIND, allowed=_allowed, recover=_again, cancellable=True)
def check_move(run: Run) -> dict[str, Any]:
    """Measure the guest, then ask host after host; its result has a line for each."""
    uuid = UUID(run.params["guest"])
    guest = Guest.objects.select_related("host").filter(pk=uuid).first()
    if guest is None or guest.host is None:
        raise NotFound("The guest is gone: no host knows it any more.")
    run.progress(0.02, "measuring how fast it changes its memory")
    _measure(run, guest)
    hosts = list(Host.objects.filter(pk__in=run.params["hosts"]).order_by("name"))
    lines = []
    for turn, host in enumerate(hosts, start=1):
        run.check_cancelled()
        run.progress(turn / (len(hosts) + 1), f"asking {host.name}")
        lines.append(_line(run, guest, host))
    fitting = [line["host_name"] for line in lines if line["ok"]]
    there = " or ".join(fitting) if fitting else "none of the hosts that were asked"
    run.say(f"{guest.name} can move to {there}.")
    return {"hosts": lines}


def _measure(run: Run, guest: Guest) -> None:
    try:
        deep.measure(guest)
    except AppError as error:  # an old QEMU cannot; the estimate says so
        run.log(f"How fast it changes its memory is not known. {error}")


def _line(run: Run, guest: Guest, host: Host) -> dict[str, Any]:
    told: dict[str, Any] = {"host": host.pk, "host_name": host.name}
    try:
        verdict = deep.deep(run, guest, host, anew=True)
    except AppError as error:
        run.log(f"{host.name}: {error}")
        return told | {"ok": False, "storage": "", "reasons": [error.detail]}
    for reason in verdict.reasons:
        run.log(f"{host.name}: {reason.message} {reason.fix}")
    reasons = [reason.message for reason in verdict.reasons]
    return told | {"ok": verdict.ok, "storage": verdict.storage, "reasons": reasons}


@work(suspecting.KIND, recover=_again)
def prove_shared(run: Run) -> dict[str, Any]:
    """Try whether two pools of two hosts are one storage."""
    suspect = suspecting.Suspect(**run.params)
    hosts = Host.objects.in_bulk([suspect.host, suspect.other])
    if len(hosts) < 2:
        raise NotFound("One of the two hosts was removed meanwhile.")
    one, other = hosts[suspect.host], hosts[suspect.other]
    ok = proving.prove(one, other, suspect.pool, suspect.other_pool, suspect.path)
    word = "is" if ok else "is not"
    run.say(f"{suspect.path} {word} the same storage on {one.name} and {other.name}.")
    return {"shared": ok}
