"""What a person wishes of a guest's disks and network cards, checked."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any, Self

from guests.creation.wanted import (
    BUSES,
    CACHES,
    DISK_LEAST,
    DISK_MOST,
    FORMATS,
    IO_WAYS,
    LIMIT_MOST,
    NIC_MODELS,
    SPEED_MOST,
    Errors,
    Limits,
)
from kvmweb.errors import Invalid
from kvmweb.sizes import amount

MAC = re.compile(r"[0-9a-f][02468ace](?::[0-9a-f]{2}){5}")
WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:+-]{0,126}")
Fault = tuple[str, str]


@dataclass(frozen=True, slots=True)
class DiskWish:
    """A further disk: a new volume, or one that is there."""

    volume: str = ""  # id, or path
    pool: str = ""  # id or name; of a new volume
    size_bytes: int = 0
    format: str = ""
    name: str = ""  # of the new volume; "" for one like the guest's
    bus: str = ""
    cache: str = ""
    io: str = ""
    discard: bool = True
    readonly: bool = False
    shareable: bool = False
    limits: Limits = field(default_factory=Limits)

    def need_valid(self) -> None:
        """Nothing. Raises Invalid naming each fault."""
        _raise(self._faults())

    def _faults(self) -> Iterator[Fault]:
        if bool(self.volume) == bool(self.size_bytes):
            yield (
                "size_bytes",
                "Say how large a new one shall be, or which volume it is.",
            )
        if self.size_bytes and not DISK_LEAST <= self.size_bytes <= DISK_MOST:
            least, most = amount(DISK_LEAST), amount(DISK_MOST)
            yield "size_bytes", f"Say a size from {least} to {most}."
        if self.volume and (self.pool or self.format or self.name):
            yield "volume", "A volume that is there has a pool, a format and a name."
        yield from _one_of("bus", self.bus, BUSES)
        yield from _one_of("format", self.format, FORMATS)
        yield from _disk_faults(self.cache, self.io, self.limits)


@dataclass(frozen=True, slots=True)
class DiskChange:
    """What is to change of a disk; None is not said and stays as it is."""

    size_bytes: int | None = None
    bus: str | None = None
    cache: str | None = None
    io: str | None = None
    discard: bool | None = None
    readonly: bool | None = None
    limits: Limits | None = None

    def need_valid(self) -> None:
        """Nothing. Raises Invalid naming each fault."""
        _raise(self._faults())

    def params(self) -> dict[str, Any]:
        """What is said, as an operation keeps it."""
        told = {each.name: getattr(self, each.name) for each in fields(self)}
        if self.limits is not None:
            told["limits"] = limits_params(self.limits)
        return {name: value for name, value in told.items() if value is not None}

    @classmethod
    def of(cls, params: dict[str, Any]) -> Self:
        """From an operation's params."""
        said = dict(params)
        if said.get("limits") is not None:
            said["limits"] = Limits(**said["limits"])
        return cls(**said)

    def _faults(self) -> Iterator[Fault]:
        if self.size_bytes is not None and not 0 < self.size_bytes <= DISK_MOST:
            yield "size_bytes", f"Say a size from 1 B to {amount(DISK_MOST)}."
        yield from _one_of("bus", self.bus or "", BUSES)
        yield from _disk_faults(
            self.cache or "", self.io or "", self.limits or Limits()
        )


@dataclass(frozen=True, slots=True)
class NicWish:
    """A further network card."""

    network: str = ""  # id or name
    bridge: str = ""  # of the host, instead of a network
    model: str = ""
    mac: str = ""
    link_up: bool = True
    filter: str = ""
    inbound_kib_s: int = 0  # 0: no limit
    outbound_kib_s: int = 0

    def need_valid(self) -> None:
        """Nothing. Raises Invalid naming each fault."""
        _raise(self._faults())

    def _faults(self) -> Iterator[Fault]:
        if bool(self.network) == bool(self.bridge):
            yield "network", "Name a network, or a bridge of the host."
        if self.mac and not MAC.fullmatch(self.mac):
            yield "mac", f"{self.mac[:40]!r} is no MAC address like 52:54:00:12:34:56."
        yield from _nic_faults(self.bridge, self.model, self.filter)
        yield from _between("inbound_kib_s", self.inbound_kib_s, SPEED_MOST)
        yield from _between("outbound_kib_s", self.outbound_kib_s, SPEED_MOST)


@dataclass(frozen=True, slots=True)
class NicChange:
    """What is to change of a network card; None is not said and stays as it is."""

    network: str | None = None
    bridge: str | None = None
    model: str | None = None
    link_up: bool | None = None
    filter: str | None = None  # "" takes it away
    inbound_kib_s: int | None = None
    outbound_kib_s: int | None = None

    def need_valid(self) -> None:
        """Nothing. Raises Invalid naming each fault."""
        _raise(self._faults())

    def params(self) -> dict[str, Any]:
        """What is said, as an operation keeps it."""
        told = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in told.items() if value is not None}

    def _faults(self) -> Iterator[Fault]:
        if self.network and self.bridge:
            yield "network", "Name a network, or a bridge of the host."
        yield from _nic_faults(self.bridge or "", self.model or "", self.filter or "")
        yield from _between("inbound_kib_s", self.inbound_kib_s or 0, SPEED_MOST)
        yield from _between("outbound_kib_s", self.outbound_kib_s or 0, SPEED_MOST)


def limits_params(limits: Limits) -> dict[str, int]:
    """The limits that are, as an operation keeps them."""
    told = {name: getattr(limits, name) for name in Limits.__slots__}
    return {name: value for name, value in told.items() if value}


def _disk_faults(cache: str, io: str, limits: Limits) -> Iterator[Fault]:
    yield from _one_of("cache", cache, CACHES)
    yield from _one_of("io", io, IO_WAYS)
    if io == "native" and cache not in {"none", "directsync"}:
        yield "io", "Native I/O needs the cache “none” or “directsync”."
    for name in Limits.__slots__:
        yield from _between(f"limits.{name}", getattr(limits, name), LIMIT_MOST)
    for total, parts in (
        ("total_bytes_s", (limits.read_bytes_s, limits.write_bytes_s)),
        ("total_iops", (limits.read_iops, limits.write_iops)),
    ):
        if getattr(limits, total) and any(parts):
            yield f"limits.{total}", "Limit the total, or reading and writing."


def _nic_faults(bridge: str, model: str, name: str) -> Iterator[Fault]:
    if bridge and not WORD.fullmatch(bridge):
        yield "bridge", f"{bridge[:40]!r} is no name of a bridge."
    yield from _one_of("model", model, NIC_MODELS)
    if name and not WORD.fullmatch(name):
        yield "filter", f"{name[:40]!r} is no name of a filter."


def _between(part: str, number: int, most: int) -> Iterator[Fault]:
    if not 0 <= number <= most:
        yield part, f"Say a number from 0 to {most}."


def _one_of(part: str, word: str, words: tuple[str, ...]) -> Iterator[Fault]:
    if word and word not in words:
        yield part, f"Choose one of {', '.join(words)}."


def _raise(faults: Iterator[Fault]) -> None:
    errors: Errors = {}
    for part, sentence in faults:
        errors.setdefault(part, []).append(sentence)
    if errors:
        said = [text for texts in errors.values() for text in texts]
        raise Invalid(" ".join(said[:5]), errors=errors)
