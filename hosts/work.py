"""The slow part of what is asked of hosts."""

from typing import Any

from django.db import transaction

from hosts.models import Host
from hosts.recorders import tell
from hosts.vault import address_of
from kvmweb.accounts.gate import Right, need
from kvmweb.errors import HostUnreachable, NotFound
from kvmweb.operations.models import Operation
from kvmweb.operations.registry import Recovery, work
from kvmweb.operations.run import Run
from kvmweb.virt import checks
from kvmweb.virt.types import CheckStep

_STEPS = 7  # of a check


def may_manage(operation: Operation) -> None:
    """Nothing, if who asked may still manage hosts. Raises Forbidden."""
    if operation.requested_by:
        need(operation.requested_by, Right.MANAGE_HOSTS)


def again(_run: Run) -> Recovery:
    """Nothing of it changes a host: after a crash it is simply done once more."""
    return Recovery.AGAIN


@work("host.check", allowed=may_manage, recover=again, cancellable=True)
def check(run: Run) -> dict[str, Any]:
    """Try the host step by step; fails with the sentence of the step that failed."""
    host = _host(run)
    steps: list[CheckStep] = []
    for step in checks.check(address_of(host)):
        run.check_cancelled()
        run.progress(len(steps) / _STEPS, step.title)
        run.log(f"{step.title}: {step.detail} {step.hint}".strip())
        steps.append(step)
    run.keep(steps=[_as_json(step) for step in steps])
    with transaction.atomic():
        tell("checked", _host(run), steps)
    for step in steps:
        if step.ok is False:
            raise HostUnreachable(f"{host.name}: {step.detail}", hint=step.hint)
    run.say(f"{host.name} can be reached and used.")
    return run.result


@work("host.maintenance", allowed=may_manage, recover=again)
def maintenance(run: Run) -> None:
    """The flag stands in the row already; say what it means for what runs there."""
    host = _host(run)
    if run.params["enabled"]:
        run.say(f"{host.name} is in maintenance: its guests stay, no new ones come.")
    else:
        run.say(f"{host.name} is in service again.")


def _host(run: Run) -> Host:
    host = Host.objects.filter(pk=run.operation.host or 0).first()
    if host is None:
        raise NotFound(f"{run.operation.host_name} was removed meanwhile.")
    return host


def _as_json(step: CheckStep) -> dict[str, Any]:
    return {
        "name": step.name,
        "title": step.title,
        "ok": step.ok,
        "detail": step.detail,
        "hint": step.hint,
    }
