"""A tick on its way from the eye to Redis: packed, and unpacked only when asked."""

import math
import struct
from collections.abc import Callable
from typing import Any
from uuid import UUID

from kvmweb.virt.types import GuestSample, HostSample, Tick

RECORD = struct.Struct("=16sdqqdddd")  # UUID and the fields of GuestSample, in order
_MAX_UUIDS = 100_000
_NAN = math.nan  # unknown among the rates; -1 is, among the bytes


class PackedTick(Tick):
    """One tick in few bytes: records of RECORD, one a guest, unpacked only when asked."""

    __slots__ = ("packed",)
    packed: bytes

    def __init__(self, at: float, host: HostSample, packed: bytes) -> None:
        object.__setattr__(self, "at", at)
        object.__setattr__(self, "host", host)
        object.__setattr__(self, "packed", packed)

    @property
    def guests(self) -> dict[UUID, GuestSample]:
        """A sample for each guest."""
        return _unpacked(self.packed)

    def __reduce__(self) -> tuple[Callable[..., Tick], tuple[object, ...]]:
        host = self.host
        numbers = (host.cpu_percent, host.memory_bytes, host.memory_free_bytes)
        return _packed, (self.at, numbers, self.packed)


def packed_guest(uuid: UUID, told: GuestSample) -> bytes:
    """One sample as a PackedTick has it."""
    rates = (
        told.disk_read_bytes_s,
        told.disk_write_bytes_s,
        told.net_rx_bytes_s,
        told.net_tx_bytes_s,
    )
    return RECORD.pack(
        uuid.bytes,
        _NAN if told.cpu_percent is None else told.cpu_percent,
        -1 if told.memory_bytes is None else told.memory_bytes,
        -1 if told.memory_host_bytes is None else told.memory_host_bytes,
        *(_NAN if rate is None else rate for rate in rates),
    )


_uuids: dict[bytes, UUID] = {}  # a UUID costs as much to make as the rest of a sample


def _packed(at: float, host: tuple[Any, Any, Any], packed: bytes) -> PackedTick:
    return PackedTick(at, HostSample(*host), packed)


def _unpacked(packed: bytes) -> dict[UUID, GuestSample]:
    if len(_uuids) > _MAX_UUIDS:
        _uuids.clear()
    guests = {}
    for record in RECORD.iter_unpack(packed):
        raw, cpu, used, resident, read, written, received, sent = record
        uuid = _uuids.get(raw)
        if uuid is None:
            uuid = _uuids[raw] = UUID(bytes=raw)
        guests[uuid] = GuestSample(
            cpu if cpu == cpu else None,  # NaN is not even equal to itself
            used if used >= 0 else None,
            resident if resident >= 0 else None,
            read if read == read else None,
            written if written == written else None,
            received if received == received else None,
            sent if sent == sent else None,
        )
    return guests
