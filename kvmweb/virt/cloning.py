"""A copy that a host makes for hours: the main of a child that waits for it."""

from dataclasses import dataclass
from uuid import UUID

from kvmweb.errors import AppError
from kvmweb.virt import volumes
from kvmweb.virt.children import Channel
from kvmweb.virt.opening import open_libvirt
from kvmweb.virt.types import Address


@dataclass(frozen=True, slots=True)
class Copy:
    """Which volume is copied, and to what."""

    pool: UUID
    name: str
    source_path: str
    source_format: str
    format: str


def clone(channel: Channel, address: Address, copy: Copy) -> None:
    """Have the host copy a volume; tells VolumeFacts in the end, or the AppError."""
    try:
        with open_libvirt(address) as conn:
            channel.send(
                volumes.clone(
                    conn,
                    copy.pool,
                    copy.name,
                    source_path=copy.source_path,
                    source_format=copy.source_format,
                    format=copy.format,
                )
            )
    except AppError as error:
        channel.send(error)
