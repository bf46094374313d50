"""What people say of a host, whole and checked, before it becomes a row."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from hosts.models import Host
from hosts.vault import address_of, seal
from kvmweb.errors import Invalid
from kvmweb.virt import uri
from kvmweb.virt.types import Address, Transport

MAX_TAGS = 32
_MOST_BYTES = 2**60
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")
_TAG = re.compile(r"[a-z0-9]([a-z0-9._:-]{0,38}[a-z0-9])?")
_NAMES = (
    "A name has up to 63 small letters, digits, dots and dashes, and begins and ends "
    "with a letter or digit."
)
_TAGS = "A tag has up to 40 small letters and digits, and . _ : - between them."

Fault = tuple[str, str]  # the field as the API names it, the sentence


@dataclass(frozen=True, slots=True)
class Wish:
    """A host as somebody wants it to be known."""

    name: str
    address: Address
    migration_address: str = ""
    virt_type: str = Host.VirtType.AUTO.value
    tags: tuple[str, ...] = field(default=())
    reserved_memory_bytes: int = 0  # for itself alone
    cpu_overcommit: float | None = None  # vCPUs a CPU may be promised to; None: any
    memory_overcommit: float = 1.0  # how often its memory may be promised

    def columns(self) -> dict[str, Any]:
        """The columns of Host that people say; secrets are sealed."""
        return {
            "name": self.name,
            "transport": self.address.transport.value,
            "address": self.address.host,
            "port": self.address.port,
            "username": self.address.username,
            "socket_path": self.address.socket_path,
            "migration_address": self.migration_address,
            "virt_type_wanted": self.virt_type,
            "tags": list(dict.fromkeys(self.tags)),
            "reserved_memory_bytes": self.reserved_memory_bytes,
            "cpu_overcommit": self.cpu_overcommit,
            "memory_overcommit": self.memory_overcommit,
            "secrets": seal(self.address.secrets),
        }


def wish_of(host: Host) -> Wish:
    """What was said of this host. Raises Unavailable when its secrets cannot be read."""
    return Wish(
        name=host.name,
        address=address_of(host),
        migration_address=host.migration_address,
        virt_type=host.virt_type_wanted,
        tags=tuple(host.tags),
        reserved_memory_bytes=host.reserved_memory_bytes,
        cpu_overcommit=host.cpu_overcommit,
        memory_overcommit=host.memory_overcommit,
    )


def need_valid(wish: Wish) -> None:
    """Nothing. Raises Invalid with a sentence for each field that is wrong."""
    errors: dict[str, list[str]] = {}
    for name, sentence in _faults(wish):
        errors.setdefault(name, []).append(sentence)
    try:
        uri.validate(wish.address)
    except Invalid as error:
        errors |= error.errors
    if errors:
        sentences = " ".join(text for texts in errors.values() for text in texts)
        raise Invalid(sentences, errors=errors)


def _faults(wish: Wish) -> Iterator[Fault]:
    if not _NAME.fullmatch(wish.name):
        yield "name", _NAMES
    if wish.virt_type not in Host.VirtType.values:
        yield "virt_type", f"Give one of {', '.join(Host.VirtType.values)}."
    if wish.migration_address:
        try:
            uri.validate(Address(Transport.TCP, host=wish.migration_address))
        except Invalid:
            yield "migration_address", "Give a host name or an IP address, no more."
    yield from _of_limits(wish)
    if len(wish.tags) > MAX_TAGS:
        yield "tags", f"A host has at most {MAX_TAGS} tags."
    if odd := [tag for tag in wish.tags if not _TAG.fullmatch(tag)]:
        yield "tags", f"{odd[0][:40]!r} cannot be a tag. {_TAGS}"


def _of_limits(wish: Wish) -> Iterator[Fault]:
    if not 0 <= wish.reserved_memory_bytes <= _MOST_BYTES:
        yield "reserved_memory_bytes", "Give a size of 0 or more."
    if wish.cpu_overcommit is not None and not 0.1 <= wish.cpu_overcommit <= 100:
        yield "cpu_overcommit", "Give a number from 0.1 to 100, or none at all."
    if not 0.1 <= wish.memory_overcommit <= 10:
        yield "memory_overcommit", "Give a number from 0.1 to 10."
