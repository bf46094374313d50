"""What a person can ask of a guest's snapshots: decide, write down, return at once."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from guests import charging
from guests.edits import DESCRIPTION_MAX
from guests.models import Guest
from guests.queries import Volumes
from guests.services import need_changeable
from guests.snapshots import leftovers, means, queries
from guests.snapshots.means import Layer, Subject
from guests.snapshots.models import Snapshot
from hosts.models import Volume
from hosts.storage.claims import claim
from kvmweb.accounts.models import User
from kvmweb.errors import Conflict, Invalid
from kvmweb.operations.models import Operation
from kvmweb.operations.services import submit
from kvmweb.virt.types import DomainState

NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?")
NAME_HELP = "Use small letters, digits, dots and dashes, at most 63, no dash at an end."
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ON = {DomainState.RUNNING, DomainState.PAUSED}

BLOCKS_MIGRATION = (
    "A guest with snapshots moves only on storage that both hosts see: a copy of its "
    "disks would lose them."
)


@dataclass(frozen=True, slots=True)
class Wish:
    """A snapshot somebody wants."""

    name: str
    description: str = ""
    memory: bool = False


def create(guest: Guest, wish: Wish, *, by: User, address: str = "") -> Operation:
    """Keep the guest as it is now. Raises Invalid, and Conflict when it cannot be."""
    _check(wish)
    if guest.snapshot_rows.filter(name=wish.name).exists():
        sentence = f"{guest.name} has a snapshot {wish.name} already."
        raise Conflict(sentence, hint="Choose another name.")
    need_changeable(guest, by)
    means.choose(subject(guest), memory=wish.memory)
    charging.keeping(guest, guest.snapshot_rows.count() + 1)
    params = {
        "name": wish.name,
        "description": wish.description,
        "memory": wish.memory,
    }
    return _submit("guest.snapshot", guest, params, by, address)


def revert(guest: Guest, name: str, *, by: User, address: str = "") -> Operation:
    """Go back to a snapshot; what `losses` says is lost. Raises NotFound, Conflict."""
    snapshot = queries.one(guest, name)
    need_changeable(guest, by)
    _need_persistent(guest)
    params = {"name": snapshot.name}
    return _submit("guest.revert", guest, params, by, address, snapshot)


def delete(guest: Guest, name: str, *, by: User, address: str = "") -> Operation:
    """Forget a snapshot; the guest stays as it is. Raises NotFound, Conflict."""
    snapshot = queries.one(guest, name)
    need_changeable(guest, by)
    params = {"name": snapshot.name}
    return _submit(
        "guest.snapshot-delete", guest, params, by, address, snapshot=snapshot
    )


def why_not(guest: Guest, *, memory: bool) -> str:
    """Why no such snapshot can be made now, as a sentence; "" when it can."""
    try:
        means.choose(subject(guest), memory=memory)
    except Conflict as error:
        return str(error)
    return ""


def losses(guest: Guest, snapshot: Snapshot) -> list[str]:
    """What going back to it would lose, each as a sentence that names it."""
    rows = queries.of(guest)
    base = queries.newest(rows)
    found = [_lost_writes(guest, base)]
    if guest.state in _ON:
        found.append(
            f"What {guest.name} holds in memory and has not written: it is cut off."
        )
    if guest.managed_save:
        found.append("The memory that was saved when it was last stopped.")
    found.append(
        f"Changes of its hardware and its description since {_when(snapshot)}."
    )
    return found


def later(guest: Guest, snapshot: Snapshot) -> list[Snapshot]:
    """The snapshots that were made after it; they stay."""
    if snapshot.at is None:
        return []
    return list(guest.snapshot_rows.filter(at__gt=snapshot.at))


def outcome(snapshot: Snapshot) -> str:
    """How the guest is after going back to it, as a sentence."""
    if snapshot.memory:
        state = "paused" if snapshot.state == "paused" else "running"
        return f"It is {state} afterwards, with what it had in memory then."
    return "It is off afterwards, as if its plug had been pulled at that moment."


def laid_aside(guest: Guest, snapshot: Snapshot) -> list[Volume]:
    """What lies in the trash since somebody went back, and goes with the snapshot."""
    if guest.host is None:
        return []
    kept = [disk for disk in snapshot.disks if disk["overlay"]]
    merged = [disk[key] for disk in kept for key in ("base", "overlay")]
    return leftovers.standing_on(guest.host, guest.pk, merged)


def subject(guest: Guest) -> Subject:
    """The guest as its rows say it, for the choice of means."""
    return Subject(
        name=guest.name,
        state=guest.state,
        persistent=guest.persistent,
        virt_type=guest.virt_type,
        firmware=guest.firmware,
        disks=[
            Layer(
                target=disk["target"],
                device=disk["device"],
                kind=disk["kind"],
                format=disk["format"] or "raw",
                writable=not (disk["readonly"] or disk["shareable"]),
            )
            for disk in guest.disks
        ],
        kinds=set(guest.snapshot_rows.values_list("kind", flat=True)),
    )


def _check(wish: Wish) -> None:
    errors: dict[str, list[str]] = {}
    if not NAME.fullmatch(wish.name):
        errors["name"] = [NAME_HELP]
    if len(wish.description) > DESCRIPTION_MAX:
        errors["description"] = [f"Use at most {DESCRIPTION_MAX} characters."]
    elif _NOT_XML.search(wish.description):
        errors["description"] = ["It has a character that no document can hold."]
    if errors:
        sentences = " ".join(text for texts in errors.values() for text in texts)
        raise Invalid(sentences, errors=errors)


def _need_persistent(guest: Guest) -> None:
    if not guest.persistent:
        raise Conflict(f"{guest.name} is transient: it cannot go back to a snapshot.")


def _submit(
    kind: str,
    guest: Guest,
    params: dict[str, Any],
    by: User,
    address: str,
    snapshot: Snapshot | None = None,
) -> Operation:
    """Ask for it. Going back to a snapshot, and deleting it, changes what it kept."""
    with transaction.atomic():
        operation = submit(
            kind,
            by=by,
            guest=guest.pk,
            guest_name=guest.name,
            host=guest.host_id,
            host_name=guest.host.name if guest.host else "",
            params=params,
            address=address,
        )
        if guest.host is not None:
            paths = _paths(guest, snapshot)
            claim(operation, guest.host, paths, destroys=snapshot is not None)
    return operation


def _paths(guest: Guest, snapshot: Snapshot | None) -> list[str]:
    """The files that are read or written."""
    places = Volumes([guest])
    found: dict[str, None] = {}
    for disk in guest.disks:
        if disk["device"] in {"disk", "lun"} and not disk["readonly"]:
            place = places.find(guest.host_id, disk)
            found[place.path if place else disk["path"]] = None
    if snapshot is not None:
        found |= dict.fromkeys(disk["base"] for disk in snapshot.disks)
        found |= dict.fromkeys(queries.files(snapshot))
    return [path for path in found if path.startswith("/")]


def _lost_writes(guest: Guest, base: Snapshot | None) -> str:
    disks = _names([disk["target"] for disk in guest.disks if not disk["readonly"]])
    since = f"since the snapshot {base.name} of {_when(base)}" if base else "so far"
    size = (
        f" (about {_size(base.written_bytes)})" if base and base.written_bytes else ""
    )
    return f"What {guest.name} wrote to {disks} {since}{size}."


def _names(names: Collection[str]) -> str:
    return ", ".join(names) or "its disks"


def _when(snapshot: Snapshot) -> str:
    return snapshot.at.strftime("%F %H:%M UTC") if snapshot.at else "an unknown time"


def _size(size_bytes: int) -> str:
    amount, unit = float(size_bytes), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if amount < 1024:
            break
        amount, unit = amount / 1024, larger
    return f"{amount:.3g} {unit}"
