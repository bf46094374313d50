"""A guest's document as another host is to run it."""

from collections.abc import Mapping

from kvmweb.virt.xml.copied import NewDisk
from kvmweb.virt.xml.devices import Disk, GuardedScreen
from kvmweb.virt.xml.document import Flag, Many, Text
from kvmweb.virt.xml.domain import Domain

LOOPBACK, ANYWHERE = "127.0.0.1", "0.0.0.0"  # noqa: S104  a screen behind a password

_OPEN = frozenset({ANYWHERE, "::", ""})


class _Disk(Disk):
    index = Text("source/@index")
    below = Flag("backingStore")
    mirrored = Flag("mirror")


class _Moving(Domain):
    screens = Many(GuardedScreen, "devices")
    all_disks = Many(_Disk, "devices")


def moved(xml: str, disks: Mapping[str, NewDisk], *, reached: bool) -> str:
    """The document with these disks where their copies are, by target.

    `reached`: screens there are opened through the network, else by the host alone.
    """
    document = _Moving.parse(xml)
    for disk in document.all_disks:
        if disk.target in disks:
            _point(disk, disks[disk.target])
    for screen in document.screens:
        _listen(screen, reached=reached)
    return str(document)


def _point(disk: _Disk, copy: NewDisk) -> None:
    """A copy stands alone: what the original stood on is not on the other host."""
    disk.below = disk.mirrored = False
    disk.index = None
    disk.pool = disk.volume = None
    disk.type, disk.format = copy.kind, copy.format
    disk.file = copy.path if copy.kind == "file" else None
    disk.dev = copy.path if copy.kind == "block" else None


def _listen(screen: GuardedScreen, *, reached: bool) -> None:
    """An address of the old host is none of the new one's; sockets and names stay."""
    told = [screen.listen, *(each.address for each in screen.listens)]
    if not any(told):
        return  # the host's own settings say where
    wanted = _listening(screen, set(filter(None, told)), reached=reached)
    if screen.listen:
        screen.listen = wanted
    for each in screen.listens:
        if each.address:
            each.address = wanted


def _listening(screen: GuardedScreen, told: set[str], *, reached: bool) -> str:
    if not reached:
        return LOOPBACK
    if told <= _OPEN:
        return next(iter(told))
    # Without a password it must not be opened to more people than before.
    return ANYWHERE if screen.password else LOOPBACK
