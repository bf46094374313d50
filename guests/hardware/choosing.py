"""What people name by an id or a name, as rows of the guest's own host."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.db.models import Model, QuerySet

from guests.models import Document, Guest
from hosts.models import Host, HostDevice, Network, NetworkFilter, Pool, Volume
from hosts.storage import holdings, users
from hosts.storage.sharing import Sharing
from kvmweb.errors import Conflict, Invalid
from kvmweb.virt.xml.domain import Domain

M = TypeVar("M", bound=Model)

# A disk cannot be told by a path alone where these pools keep it.
_REMOTE = frozenset({"rbd", "gluster", "sheepdog", "iscsi-direct", "vstorage"})
_BLOCK = frozenset({"logical", "disk", "iscsi", "scsi", "mpath", "zfs"})


def home(guest: Guest) -> Host:
    """Its host. Raises Conflict when no host has it."""
    if guest.host is None:
        raise Conflict(f"{guest.name} is gone: no host knows it any more.")
    return guest.host


def volume(guest: Guest, word: str) -> Volume:
    """The ready volume of its host with this id or path.

    Raises Invalid when there is none, Conflict when it is half made or in the trash.
    """
    host = home(guest)
    rows = Volume.objects.filter(pool__host=host).select_related("pool__host")
    found = _by_id(rows, word)
    if found is None and word.startswith("/"):
        found = rows.filter(path=word).first()
    if found is None:
        raise _missing("volume", f"The host of {guest.name} has no such volume.")
    holdings.need_ready(found)
    need_path(found.pool)
    if not found.pool.active:
        raise Conflict(f"The pool {found.pool.name} is not active.")
    return found


def pool(guest: Guest, word: str) -> Pool:
    """The active pool of its host with this id or name; the one with most space for "".

    Raises Invalid, Conflict.
    """
    rows = Pool.objects.filter(host=home(guest)).select_related("host")
    if not word:
        usable = rows.filter(active=True).exclude(type__in=_REMOTE)
        found = usable.order_by("-available_bytes").first()
    else:
        found = _by_id(rows, word) or rows.filter(name=word).first()
    if found is None:
        raise _missing("pool", f"The host of {guest.name} has no such pool.")
    if not found.active:
        raise Conflict(f"The pool {found.name} is not active.", hint="Start it first.")
    need_path(found)
    return found


def need_path(pool: Pool) -> None:
    """Nothing. Raises Conflict for a pool whose volumes are not files or devices."""
    if pool.type in _REMOTE:
        raise Conflict(
            f"The pool {pool.name} is of the type {pool.type}: its volumes are reached "
            "over a network, and are given to a guest by its XML only."
        )


def is_block(pool: Pool) -> bool:
    """Whether its volumes are devices, not files."""
    return pool.type in _BLOCK


def network(guest: Guest, word: str) -> Network:
    """The network of its host with this id or name. Raises Invalid, Conflict."""
    rows = Network.objects.filter(host=home(guest))
    found = _by_id(rows, word) or rows.filter(name=word).first()
    if found is None:
        raise _missing("network", f"The host of {guest.name} has no such network.")
    if not found.active:
        raise Conflict(f"The network {found.name} is not active.", hint="Start it.")
    return found


def need_filter(guest: Guest, name: str) -> None:
    """Nothing. Raises Invalid when its host has no packet filter of this name."""
    rows = NetworkFilter.objects.filter(host=home(guest))
    if name and not rows.filter(name=name).exists():
        raise _missing("filter", f"The host of {guest.name} has no such filter.")


def device(guest: Guest, word: str) -> HostDevice:
    """The device of its host with this id or name. Raises Invalid."""
    rows = HostDevice.objects.filter(host=home(guest))
    found = _by_id(rows, word) or rows.filter(name=word).first()
    if found is None:
        raise _missing("device", f"The host of {guest.name} has no such device.")
    return found


def documents(guest: Guest) -> list[Domain]:
    """What runs and what is defined, as its host last said it; for free names."""
    row = Document.objects.filter(pk=guest.pk).first()
    texts = [row.xml, row.inactive_xml] if row else []
    return [Domain.parse(text, recover=True) for text in texts if text]


def need_unused(
    guest: Guest, path: str, *, readonly: bool = False, shareable: bool = False
) -> None:
    """Nothing. Raises Conflict when another guest must not have the volume, too.

    Others may read what this one only reads, and share what all of them share.
    """
    told = users.of_paths(Sharing(home(guest), [path]), [path])[path]
    others = [each for each in told if each.guest != str(guest.pk)]
    if readonly:
        others = [it for it in others if not _all_disks(it, path, _is_read)]
    elif shareable:
        others = [it for it in others if not _all_disks(it, path, _is_shared)]
    if others:
        raise Conflict(
            f"{path} is used by {users.named(others)}.",
            hint="Two guests that write to one disk destroy it. Copy the volume instead.",
        )


def _is_read(disk: dict[str, Any]) -> bool:
    return bool(disk["readonly"]) or disk["device"] == "cdrom"


def _is_shared(disk: dict[str, Any]) -> bool:
    return bool(disk["shareable"])


def _all_disks(
    user: users.User, path: str, so: Callable[[dict[str, Any]], bool]
) -> bool:
    """Whether every disk that the user has of it is so; a volume above only reads it."""
    row = Guest.objects.filter(pk__in=[user.guest] if user.guest else []).first()
    if row is None:
        return not user.guest and so is _is_read
    name = path.rpartition("/")[2]
    mine = [
        disk
        for disk in row.disks
        if disk["path"] == path or (disk["volume"] and disk["volume"] == name)
    ]
    return bool(mine) and all(so(disk) for disk in mine)


def _by_id(rows: QuerySet[M], word: str) -> M | None:
    if not (word.isascii() and word.isdecimal() and len(word) < 18):
        return None
    return rows.filter(pk=int(word)).first()


def _missing(field: str, sentence: str) -> Invalid:
    return Invalid(sentence, errors={field: [sentence]})
