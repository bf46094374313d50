"""The API of a guest's disks, network cards, CDs and devices of its host."""

from typing import Any
from uuid import UUID

from ninja import Query, Router
from ninja.responses import Status

from guests import access
from guests.hardware import disks, host_devices, nics
from guests.hardware.schemas import (
    DiskEditIn,
    HostDeviceIn,
    MediaIn,
    NewDiskIn,
    NewNicIn,
    NicEditIn,
    OfferedDeviceOut,
    UnplugDiskQuery,
    UnplugQuery,
)
from kvmweb import doors
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.operations.api import OperationOut
from kvmweb.operations.models import Operation

router = Router(tags=["guests"])
Accepted = Status[Operation]


@router.post("{uuid:uuid}/disks/", response={202: OperationOut}, url_name="guest-disks")
@door(Right.CHANGE)
def add_disk(request: UserRequest, uuid: UUID, body: NewDiskIn) -> Accepted:
    """Give it a further disk: a new volume, or one that nobody uses."""
    guest = access.guest(request.user, uuid, Right.CHANGE)
    return doors.accepted(
        disks.add(
            guest,
            body.wish(),
            when=body.when,
            by=request.user,
            address=request.client_address,
        )
    )


@router.patch(
    "{uuid:uuid}/disks/{target}/", response={202: OperationOut}, url_name="guest-disk"
)
@door(Right.CHANGE)
def change_disk(
    request: UserRequest, uuid: UUID, target: str, body: DiskEditIn
) -> Accepted:
    """Grow a disk, which a running guest sees at once, or have it handled otherwise."""
    guest = access.guest(request.user, uuid, Right.CHANGE)
    return doors.accepted(
        disks.change(
            guest,
            target,
            body.wish(),
            when=body.when,
            by=request.user,
            address=request.client_address,
        )
    )


@router.delete(
    "{uuid:uuid}/disks/{target}/", response={202: OperationOut}, url_name="guest-disk"
)
@door(Right.CHANGE)
def remove_disk(
    request: UserRequest, uuid: UUID, target: str, query: Query[UnplugDiskQuery]
) -> Accepted:
    """Take a disk out; `volume=delete` puts its volume into the trash if it is unused."""
    guest = access.guest(request.user, uuid, Right.CHANGE)
    return doors.accepted(
        disks.remove(
            guest,
            target,
            delete=query.volume == "delete",
            when=query.when,
            by=request.user,
            address=request.client_address,
        )
    )


@router.put("{uuid:uuid}/cdrom/", response={202: OperationOut}, url_name="guest-cdrom")
@door(Right.CHANGE)
def set_media(request: UserRequest, uuid: UUID, body: MediaIn) -> Accepted:
    """Put a volume into its CD drive, or nothing."""
    guest = access.guest(request.user, uuid, Right.CHANGE)
    return doors.accepted(
        disks.set_media(
            guest,
            body.word(),
            target=body.target,
            force=body.force,
            when=body.when,
            by=request.user,
            address=request.client_address,
        )
    )


@router.post("{uuid:uuid}/nics/", response={202: OperationOut}, url_name="guest-nics")
@door(Right.CHANGE)
def add_nic(request: UserRequest, uuid: UUID, body: NewNicIn) -> Accepted:
    """Give it a further network card."""
    guest = access.guest(request.user, uuid, Right.CHANGE)
    return doors.accepted(
        nics.add(
            guest,
            body.wish(),
            when=body.when,
            by=request.user,
            address=request.client_address,
        )
    )


@router.patch(
    "{uuid:uuid}/nics/{mac}/", response={202: OperationOut}, url_name="guest-nic"
)
@door(Right.CHANGE)
def change_nic(request: UserRequest, uuid: UUID, mac: str, body: NicEditIn) -> Accepted:
    """Another network, model, link, filter or limit of a network card."""
    guest = access.guest(request.user, uuid, Right.CHANGE)
    return doors.accepted(
        nics.change(
            guest,
            mac,
            body.wish(),
            when=body.when,
            by=request.user,
            address=request.client_address,
        )
    )


@router.delete(
    "{uuid:uuid}/nics/{mac}/", response={202: OperationOut}, url_name="guest-nic"
)
@door(Right.CHANGE)
def remove_nic(
    request: UserRequest, uuid: UUID, mac: str, query: Query[UnplugQuery]
) -> Accepted:
    """Take a network card out."""
    guest = access.guest(request.user, uuid, Right.CHANGE)
    return doors.accepted(
        nics.remove(
            guest,
            mac,
            when=query.when,
            by=request.user,
            address=request.client_address,
        )
    )


@router.get(
    "{uuid:uuid}/host-devices/",
    response=list[OfferedDeviceOut],
    url_name="guest-host-devices",
)
@door(Right.HOST_DEVICES)
def devices(request: UserRequest, uuid: UUID) -> list[dict[str, Any]]:
    """The devices of its host, which of them it has, and who else has one."""
    guest = access.guest(request.user, uuid, Right.HOST_DEVICES)
    return [
        {
            "id": each.device.pk,
            "name": each.device.name,
            "kind": each.device.kind,
            "vendor": each.device.vendor,
            "product": each.device.product,
            "given": each.given,
            "users": list(each.users),
        }
        for each in host_devices.offers(guest)
    ]


@router.post(
    "{uuid:uuid}/host-devices/",
    response={202: OperationOut},
    url_name="guest-host-devices",
)
@door(Right.HOST_DEVICES)
def add_device(request: UserRequest, uuid: UUID, body: HostDeviceIn) -> Accepted:
    """Give it a device of its host."""
    guest = access.guest(request.user, uuid, Right.HOST_DEVICES)
    return doors.accepted(
        host_devices.add(
            guest,
            body.word(),
            when=body.when,
            by=request.user,
            address=request.client_address,
        )
    )


@router.delete(
    "{uuid:uuid}/host-devices/{device}/",
    response={202: OperationOut},
    url_name="guest-host-device",
)
@door(Right.HOST_DEVICES)
def remove_device(
    request: UserRequest, uuid: UUID, device: str, query: Query[UnplugQuery]
) -> Accepted:
    """Take a device of its host back."""
    guest = access.guest(request.user, uuid, Right.HOST_DEVICES)
    return doors.accepted(
        host_devices.remove(
            guest,
            device,
            when=query.when,
            by=request.user,
            address=request.client_address,
        )
    )
