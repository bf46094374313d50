"""Definitions put back, restored and written by hand, in a worker."""

from typing import Any

from guests.columns import digest
from guests.hardware import keeping
from guests.hardware.differences import changes_between
from guests.hardware.differences import pending as pending_between
from guests.hardware.differences import revoke as put_back
from guests.hardware.machine import Machine, changed
from guests.hardware.work import again, may_change
from guests.models import Revision
from guests.work import allowed
from hosts.vault import open_text
from kvmweb.accounts.gate import Right
from kvmweb.errors import Conflict, NotFound
from kvmweb.operations.registry import work
from kvmweb.operations.run import Run
from kvmweb.virt import storage

_NEXT = "It takes effect when the guest is off and started again."


@work("guest.revoke", allowed=may_change, recover=again)
def revoke(run: Run) -> dict[str, Any]:
    """Make the definition say again what runs."""

    def make(machine: Machine) -> list[str]:
        live = machine.documents.live
        if not live:
            raise Conflict(f"{machine.name} is off by now: nothing of it runs.")
        back: list[str] = []
        machine.edit(lambda doc: back.extend(put_back(live, doc)))
        return back

    back = changed(run, make)
    name = run.operation.guest_name
    run.say(f"{name}: taken back: {'; '.join(dict.fromkeys(back)) or 'nothing'}.")
    return {"revoked": back}


@work("guest.restore", allowed=may_change, recover=again)
def restore(run: Run) -> dict[str, Any]:
    """Define a former version again."""
    number = run.params["number"]
    rows = Revision.objects.filter(guest=run.operation.guest, number=number)
    version = rows.first()
    if version is None or digest(version.xml) != run.params["digest"]:
        raise NotFound(f"There is no version {number} of it any more.")
    result = changed(run, lambda machine: _restore(machine, version.xml))
    run.say(_told(run, f"version {number} is restored", result))
    return result


@work("guest.define", allowed=allowed(Right.EDIT_XML), recover=again)
def define(run: Run) -> dict[str, Any]:
    """Make an administrator's document the definition."""
    xml = open_text(run.params["xml"])
    result = changed(run, lambda machine: _write(machine, xml))
    run.say(_told(run, "its document was written", result))
    return result


def _restore(machine: Machine, xml: str) -> dict[str, Any]:
    before = machine.documents.plain
    _need_volumes(machine, xml)
    machine.rewrite(
        lambda now: keeping.again(xml, now), strict=False, **_limits(machine.run)
    )
    return _result(machine, before)


def _write(machine: Machine, xml: str) -> dict[str, Any]:
    before = machine.documents.plain
    edited = machine.run.params["digest"]

    def make(now: str) -> str:
        if _same(machine, xml):
            return now  # by a worker that died
        if edited and digest(machine.documents.plain) != edited:
            raise Conflict(
                f"{machine.name} was changed by somebody else meanwhile.",
                hint="Load its document again and repeat your change.",
            )
        return keeping.instead(xml, now)

    machine.rewrite(make, **_limits(machine.run))
    return _result(machine, before)


def _same(machine: Machine, xml: str) -> bool:
    """Whether it is defined so already, as far as people can tell."""
    return machine.documents.plain.split() == xml.split()


def _limits(run: Run) -> dict[str, Any]:
    """What libvirt's own version of it may hold, for who may not write everything."""
    limits = run.params["allowed"]
    if limits is None:
        return {}
    return {"allowed": limits["named"], "pools": limits["pools"]}


def _need_volumes(machine: Machine, xml: str) -> None:
    """Nothing. Raises Conflict when its host says that a volume is gone."""
    now = {source for doc in machine.domains for source in keeping.needs(str(doc))[0]}
    for path in keeping.needs(xml)[0]:
        if path in now or not path.startswith("/"):
            continue
        there = machine.far.there.run(storage.look_volume, path)
        if there is None and _in_a_pool(machine, path):
            raise Conflict(f"The volume {path} is not there any more.")


def _in_a_pool(machine: Machine, path: str) -> bool:
    rows = machine.far.host.pools.values_list("target", flat=True)
    return any(target and path.startswith(f"{target.rstrip('/')}/") for target in rows)


def _result(machine: Machine, before: str) -> dict[str, Any]:
    after = machine.documents
    made = changes_between(before, after.plain)
    later = pending_between(after.live, after.plain) if after.live else []
    return {"changes": made, "at_next_start": later}


def _told(run: Run, what: str, result: dict[str, Any]) -> str:
    said = f"{run.operation.guest_name}: {what}"
    if result["changes"]:
        said += f": {'; '.join(result['changes'])}"
    return f"{said}. {_NEXT}" if result["at_next_start"] else f"{said}."
