"""Changing a guest's hardware: now where its host can, else at its next start."""

from typing import Any

from guests.hardware import documents, memory
from guests.hardware.differences import changes_between, pending
from guests.hardware.machine import Machine, changed
from guests.hardware.wishes import Hardware
from guests.work import allowed, write_words
from kvmweb.accounts.gate import Right
from kvmweb.errors import Conflict, HostError, HostUnreachable
from kvmweb.operations.models import Operation
from kvmweb.operations.registry import Recovery, work
from kvmweb.operations.run import Run
from kvmweb.virt import changes

may_change = allowed(Right.CHANGE)


def may_resize(operation: Operation) -> None:
    """Whether who asked may still change it, or have what was approved. Raises Forbidden."""
    granted = operation.params.get("granted")  # who approved it had the right
    allowed(Right.OPERATE if granted else Right.CHANGE)(operation)


def again(_run: Run) -> Recovery:
    """Every step of it looks first, so it may be done twice."""
    return Recovery.AGAIN


@work("guest.change", allowed=may_resize, recover=again)
def change(run: Run) -> dict[str, Any]:
    """Name, vCPUs, memory, processor, firmware, boot order, and words with them."""
    wish = Hardware.of(run.params["hardware"])
    if told := run.params.get("words"):
        write_words(run, told)
    result = changed(run, lambda machine: _make(machine, wish))
    run.say(sentence(result["name"], result["changes"], result["at_next_start"]))
    return result


def outcome(run: Run, what: str, done: str, why: str, **about: Any) -> dict[str, Any]:
    """The operation's result, and its sentence: done, or done at the next start and why."""
    name = run.operation.guest_name
    if why:
        run.log(why)
        run.say(f"{name}: {what} is {done} at its next start. {why}")
    else:
        run.say(f"{name}: {what} was {done}.")
    return {**about, "at_next_start": bool(why)}


def sentence(name: str, made: list[str], later: list[str]) -> str:
    """What became of a change, in words: what is so now, and what only at its next start."""
    now = [each for each in made if each not in later]
    if not made and not later:
        return f"{name} is so already."
    said = f"{name}: {'; '.join(now)}." if now else f"{name} runs on as it is."
    return f"{said} At its next start: {'; '.join(later)}." if later else said


def _make(machine: Machine, wish: Hardware) -> dict[str, Any]:
    before = machine.documents
    if wish.name is not None and wish.name != before.name:
        _rename(machine, wish.name)
    if machine.now and wish.memory_bytes is not None:
        memory.grow(machine, wish.memory_bytes)
        memory.request(machine, wish.memory_bytes)
    machine.edit(lambda doc: documents.apply(doc, wish))
    if machine.now and machine.live is not None:
        _make_live(machine, wish)
    after = machine.documents
    made = changes_between(before.config or before.live, after.config or after.live)
    if before.live != after.live:
        made += [
            it for it in changes_between(before.live, after.live) if it not in made
        ]
    later = pending(after.live, after.config) if after.live and after.config else []
    return {"name": after.name, "changes": made, "at_next_start": later}


def _rename(machine: Machine, name: str) -> None:
    if machine.live is not None:
        raise Conflict(
            f"{machine.documents.name} runs: only a guest that is off can be renamed."
        )
    machine.call(changes.rename, machine.far.uuid, name)


def _make_live(machine: Machine, wish: Hardware) -> None:
    """What can be otherwise without a new start; what cannot stays for the next one."""
    live = machine.live
    if live is None:
        return
    count = wish.vcpus
    most = live.vcpus or 1
    if count and count != (live.vcpus_current or most) and count <= most:
        _try(machine, changes.set_vcpus, count)
    amount, most_memory = wish.memory_bytes or 0, live.memory or 0
    if amount != (live.current_memory or most_memory) and 0 < amount <= most_memory:
        _try(machine, changes.set_memory, amount)


def _try(machine: Machine, verb: Any, amount: int) -> None:
    try:
        machine.try_live(verb, amount)
    except HostUnreachable:
        raise
    except (Conflict, HostError) as error:
        if machine.config is None:
            raise
        machine.run.log(f"Not while it runs: {error.detail}")
