"""What a person can ask of the inside of a guest. Nothing here reaches a host or waits."""

import json
from collections.abc import Sequence
from typing import Any

from django.db import transaction

from guests.inside import sealing
from guests.inside.advice import advice
from guests.inside.wishes import need_keys, need_password, need_user
from guests.models import Guest
from guests.services import need_changeable, submit_for
from kvmweb.accounts.models import User
from kvmweb.errors import Conflict
from kvmweb.operations.models import Operation
from kvmweb.virt.types import DomainState


def look(guest: Guest, *, by: User, address: str = "") -> Operation:
    """Ask its agent for what is inside; kept as the guest's report.

    Raises Conflict, as everything here, when no agent listens in it.
    """
    _need_agent(guest, by)
    return submit_for("guest.look-inside", guest, by, address)


def set_password(
    guest: Guest, user: str, password: str, *, by: User, address: str = ""
) -> Operation:
    """Give a user of the guest a new password. Raises Invalid too."""
    need_password(password)
    words = {"password": password}
    return _sealed("guest.set-password", guest, need_user(user), words, by, address)


def add_ssh_keys(
    guest: Guest, user: str, keys: Sequence[str], *, by: User, address: str = ""
) -> Operation:
    """Let these public keys sign in as a user of the guest. Raises Invalid too."""
    words = {"keys": need_keys(keys)}
    return _sealed("guest.add-ssh-keys", guest, need_user(user), words, by, address)


def sync_time(guest: Guest, *, by: User, address: str = "") -> Operation:
    """Set the guest's clock to ours."""
    _need_agent(guest, by)
    return submit_for("guest.sync-time", guest, by, address)


def add_channel(guest: Guest, *, by: User, address: str = "") -> Operation:
    """Give the guest a channel for an agent. Raises Conflict when it has one."""
    need_changeable(guest, by)
    if guest.agent is not None:
        raise Conflict(f"{guest.name} has a channel for a guest agent already.")
    return submit_for("guest.add-agent-channel", guest, by, address)


def _sealed(
    kind: str,
    guest: Guest,
    user: str,
    words: dict[str, Any],
    by: User,
    address: str,
) -> Operation:
    _need_agent(guest, by)
    with transaction.atomic():
        sealing.forget_ended()
        operation = submit_for(kind, guest, by, address, {"user": user})
        sealing.keep(operation, json.dumps(words))
    return operation


def _need_agent(guest: Guest, by: User) -> None:
    """Nothing. Raises Conflict saying what is missing and how to get it."""
    need_changeable(guest, by)
    how = advice(guest.name, guest.state, guest.os, agent=guest.agent)
    if not how.reason:
        return
    hint = ""
    if guest.state == DomainState.RUNNING:
        first = "Add the channel, then inside the guest" if how.missing_channel else ""
        todo = "; ".join((*how.commands, *how.steps))
        hint = f"{first or 'Inside the guest'}: {todo}"
    raise Conflict(how.reason, hint=hint)
