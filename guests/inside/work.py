"""The slow part: questions to the agent in a guest, which may answer anything or nothing."""

import json
from typing import Any

from django.utils import timezone

from guests.far import far_guest
from guests.inside import sealing
from guests.inside.models import InsideReport
from guests.models import Guest
from guests.work import allowed
from hosts.columns import as_json
from kvmweb.accounts.gate import Right
from kvmweb.errors import NotFound
from kvmweb.operations.registry import Recovery, work
from kvmweb.operations.run import Run
from kvmweb.virt import agent

change = allowed(Right.CHANGE)


def again(_run: Run) -> Recovery:
    """Asked twice, it is as if asked once."""
    return Recovery.AGAIN


@work("guest.look-inside", allowed=change, recover=again)
def look(run: Run) -> None:
    """Ask for everything, and keep what was told."""
    name = run.operation.guest_name
    with far_guest(run) as far:
        facts = far.run(agent.look)
    guest = Guest.objects.filter(pk__in=[run.operation.guest]).first()
    if guest is None:
        raise NotFound(f"{name} is not known any more.")
    told = {"at": timezone.now(), "told": as_json(facts)}
    InsideReport.objects.update_or_create(guest=guest, defaults=told)
    untold = f" Not told: {', '.join(facts.untold)}." if facts.untold else ""
    run.say(f"The agent in {name} has answered.{untold}")


@work("guest.set-password", allowed=change, recover=again)
def set_password(run: Run) -> None:
    """Hand the sealed password to the agent, then forget it."""
    words, user = _opened(run), run.params["user"]
    try:
        with far_guest(run) as far:
            far.run(agent.set_password, user, words["password"])
    finally:
        sealing.forget(run)
    run.say(f"{user} has a new password in {run.operation.guest_name}.")


@work("guest.add-ssh-keys", allowed=change, recover=again)
def add_ssh_keys(run: Run) -> None:
    """Hand the sealed keys to the agent, then forget them."""
    words, user = _opened(run), run.params["user"]
    try:
        with far_guest(run) as far:
            far.run(agent.add_ssh_keys, user, words["keys"])
    finally:
        sealing.forget(run)
    count = len(words["keys"])
    added = "One key" if count == 1 else f"{count} keys"
    run.say(f"{added} may sign in as {user} in {run.operation.guest_name}.")


@work("guest.sync-time", allowed=change, recover=again)
def sync_time(run: Run) -> None:
    """Set its clock to ours."""
    with far_guest(run) as far:
        far.run(agent.sync_time)
    run.say(f"The clock of {run.operation.guest_name} was set.")


@work("guest.add-agent-channel", allowed=change, recover=again)
def add_channel(run: Run) -> dict[str, Any]:
    """Plug the channel in, or have it there from the next start on."""
    with far_guest(run) as far:
        now = bool(far.run(agent.add_channel))
    when = "" if now else " It is there from its next start on."
    run.say(f"{run.operation.guest_name} has a channel for a guest agent.{when}")
    return {"in_force": now}


def _opened(run: Run) -> dict[str, Any]:
    words: dict[str, Any] = json.loads(sealing.opened(run))
    return words
