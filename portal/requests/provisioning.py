"""Carrying out what was approved: the ordinary operations, and the wish behind them."""

from guests.creation import services as creation
from guests.creation.services import Preview
from guests.creation.wanted import Wanted, WantedDisk, WantedNic
from guests.images.models import Image
from guests.models import Guest
from hosts.models import Host
from kvmweb.accounts.gate import Right, may_in, sees_all
from kvmweb.accounts.models import User
from kvmweb.errors import Conflict
from kvmweb.operations.models import Operation
from portal.projects import scopes
from portal.requests import asking, resizing
from portal.requests.models import Request
from portal.requests.states import Kind

NO_ROOM = "There is no room for it now, or its name is taken."  # by whom, nobody reads
_REJECT = "Reject it, so that its quota is free again."
_NO_ROOM_HINT = "It waits as it is: another name may do, or an operator makes room."


class ImageGone(Conflict):
    """What the machine was to be made of is not there any more."""


def wanted_of(request: Request) -> Wanted:
    """The machine a request asks for. Raises ImageGone."""
    disk = WantedDisk(size_bytes=request.disk_bytes, image=_image(request))
    return Wanted(
        name=request.name,
        vcpus=request.vcpus,
        memory_bytes=request.memory_bytes,
        description=request.reason,
        owner=request.author,
        project=request.project.name,
        on=tuple(sorted(scopes.of(request.project_id).host_tags)),
        disks=(disk,),
        nics=(WantedNic(network=request.network),) if request.network else (),
    )


def preview(request: Request) -> Preview:
    """Where its machine would go now. Raises Conflict when it fits nowhere, Invalid."""
    return creation.preview_order(wanted_of(request), asking.cloud_of(request))


def carry_out(request: Request, approver: User | None) -> Operation:
    """The operation that makes it true, submitted as of who asked for it.

    Raises Conflict when it cannot be now: in whole for an approver who sees hosts, in
    plain words for others; None is one of our own rules.
    """
    requester = need_requester(request)
    if request.kind == Kind.RESIZE:
        return resizing.begin(request, target_of(request), requester)
    wanted, cloud = wanted_of(request), asking.cloud_of(request)
    about = {"address": request.address, "granted": request.topic}
    try:
        return creation.order(wanted, cloud, by=requester, **about)
    except Conflict as error:
        if approver is not None and sees_all(approver):
            raise
        raise Conflict(NO_ROOM, hint=_NO_ROOM_HINT) from error


def lock_hosts() -> None:
    """Nobody else promises room on hosts until we commit."""
    list(Host.objects.select_for_update().order_by("pk").values_list("pk"))


def need_requester(request: Request) -> User:
    """Who asked for it. Raises Conflict when they may not ask there any more."""
    requester = request.requester
    if requester is None or not requester.is_active:
        raise Conflict(
            f"{request.author}, who asked for it, may not sign in any more.",
            hint=_REJECT,
        )
    if not may_in(requester, request.project_id, Right.REQUEST):
        raise Conflict(
            f"{request.author}, who asked for it, is not in {request.project} any more.",
            hint=_REJECT,
        )
    return requester


def target_of(request: Request) -> Guest:
    """The machine it is about, that is there. Raises Conflict when it is not."""
    rows = Guest.objects.select_related("host", "owner", "project")
    rows = rows.filter(project=request.project_id)
    guest = rows.filter(pk=request.guest).first() if request.guest else None
    if guest is None:
        raise Conflict(f"{request.name} is not in {request.project} any more.")
    return guest


def _image(request: Request) -> str:
    """Its id, as words. Raises ImageGone when it cannot be used any more."""
    if not request.image_name:
        return ""
    if request.image is None or request.image.state != Image.State.READY:
        raise ImageGone(f"The image {request.image_name} is not there any more.")
    return str(request.image.pk)
