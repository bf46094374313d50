"""One record of numbers: 32 bytes, the same in Redis and in the database."""

import math
import struct
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from kvmweb.virt.types import GuestSample, HostSample

STEP_S = 2
PACKED = struct.Struct("<IfIIffff")
NO_KIB = 0xFFFFFFFF
EMPTY = bytes(PACKED.size)  # slot 0: nothing was kept


class Record(NamedTuple):
    """What somebody did around one moment, as it is packed."""

    slot: int  # two-second steps since the epoch
    cpu_percent: float  # NaN where nobody could say, here and below
    memory_kib: int  # NO_KIB where nobody could say
    second_kib: int  # resident, of a guest; free, of a host
    disk_read_bytes_s: float
    disk_write_bytes_s: float
    net_rx_bytes_s: float
    net_tx_bytes_s: float

    @property
    def at(self) -> int:
        """Seconds since the epoch."""
        return self.slot * STEP_S


def key_of_guest(uuid: UUID) -> bytes:
    """Its 16 bytes, by which its numbers are kept."""
    return uuid.bytes


def key_of_host(host_id: int) -> bytes:
    """16 bytes that no guest has."""
    return b"kvm-host" + host_id.to_bytes(8, "big")


def packed_guest(slot: int, told: GuestSample) -> bytes:
    """A guest's sample as a record."""
    return PACKED.pack(
        slot,
        _or_nan(told.cpu_percent),
        _kib(told.memory_bytes),
        _kib(told.memory_host_bytes),
        _or_nan(told.disk_read_bytes_s),
        _or_nan(told.disk_write_bytes_s),
        _or_nan(told.net_rx_bytes_s),
        _or_nan(told.net_tx_bytes_s),
    )


def packed_host(slot: int, told: HostSample, rates: Sequence[float]) -> bytes:
    """A host's sample as a record, with the four rates of its guests together."""
    return PACKED.pack(
        slot,
        _or_nan(told.cpu_percent),
        _kib(told.memory_bytes),
        _kib(told.memory_free_bytes),
        *rates,
    )


def unpacked(packed: bytes) -> list[Record]:
    """The records in these bytes, without empty ones."""
    whole = packed[: len(packed) // PACKED.size * PACKED.size]
    return [Record._make(each) for each in PACKED.iter_unpack(whole) if each[0]]


def guest_sample(record: Record) -> GuestSample:
    """The record with None for what nobody could say."""
    return GuestSample(
        _or_none(record.cpu_percent),
        _bytes(record.memory_kib),
        _bytes(record.second_kib),
        _or_none(record.disk_read_bytes_s),
        _or_none(record.disk_write_bytes_s),
        _or_none(record.net_rx_bytes_s),
        _or_none(record.net_tx_bytes_s),
    )


def host_sample(record: Record) -> HostSample:
    """The record with None for what nobody could say."""
    return HostSample(
        _or_none(record.cpu_percent),
        _bytes(record.memory_kib),
        _bytes(record.second_kib),
    )


def averaged(records: Sequence[Record], slot: int) -> Record:
    """One record for all of these, of what somebody could say; at least one is given."""
    columns: list[Any] = list(zip(*records, strict=True))
    memory = [_mean(k for k in columns[at] if k != NO_KIB) for at in (2, 3)]
    return Record(
        slot,
        _mean(said for said in columns[1] if not math.isnan(said)),
        *(NO_KIB if math.isnan(kib) else int(kib) for kib in memory),
        *(
            _mean(said for said in columns[at] if not math.isnan(said))
            for at in range(4, 8)
        ),
    )


def _mean(said: Iterable[float]) -> float:
    kept = list(said)
    return sum(kept) / len(kept) if kept else math.nan


def _or_nan(said: float | None) -> float:
    return math.nan if said is None else said


def _or_none(kept: float) -> float | None:
    return None if math.isnan(kept) else round(kept, 2)


def _kib(said_bytes: int | None) -> int:
    return NO_KIB if said_bytes is None else min(said_bytes >> 10, NO_KIB - 1)


def _bytes(kept_kib: int) -> int | None:
    return None if kept_kib == NO_KIB else kept_kib << 10
