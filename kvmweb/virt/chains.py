"""What a volume stands on, judged before the host itself opens it.

libvirt and qemu-img believe a volume's first bytes, and a guest writes what it likes
into its own disk: a copy made by the host would bring home any file that they name.
"""

import libvirt

from kvmweb.errors import Conflict, NotFound, Unsupported
from kvmweb.virt import images, streams
from kvmweb.virt.errors import explaining
from kvmweb.virt.storage import facts_of, volume_at
from kvmweb.virt.types import VolumeFacts

_LONGEST = 200
_PLAIN = frozenset({"raw", "iso", "none", "dir"})  # nothing in them is believed
_ALONE = frozenset({"vdi", "vpc"})  # can name no other file
_READABLE = frozenset({"qcow2", "vmdk"})


def need_harmless(conn: libvirt.virConnect, path: str, declared: str = "") -> None:
    """Nothing. Raises Conflict when opening it would open what is no volume of the host.

    `declared` is what it is known to be; without it, what libvirt takes it for.
    """
    for _ in range(_LONGEST):
        facts = _facts(conn, path)
        if facts.format in _PLAIN | _ALONE:
            return
        if declared in _PLAIN:
            raise Conflict(
                f"{path} is raw, but its first bytes look like {facts.format}: its "
                "guest may have written them to read files of the host.",
                hint="It can be downloaded, but the host does not copy it.",
            )
        declared = _need_readable(conn, facts)
        if not facts.backing_path:
            return
        path = facts.backing_path
    raise Conflict(f"{path} stands on itself.")


def _need_readable(conn: libvirt.virConnect, facts: VolumeFacts) -> str:
    """The format that it says of what it stands on."""
    if facts.format not in _READABLE:
        raise Conflict(
            f"{facts.path} is of the format {facts.format}; it is not copied."
        )
    try:
        layers = images.layers(streams.read_head(conn, facts.path, images.HEAD_BYTES))
    except Unsupported:  # a driver that has no contents
        return ""
    if layers is None:
        raise Conflict(f"{facts.path} is no {facts.format} image any more.")
    if layers.data_file:
        raise Conflict(
            f"{facts.path} keeps its data in another file; it is not copied."
        )
    if ":" in layers.backing.split("/", 1)[0] or bool(layers.backing) != bool(
        facts.backing_path
    ):
        raise Conflict(f"{facts.path} stands on something that is no volume.")
    return layers.backing_format


def _facts(conn: libvirt.virConnect, path: str) -> VolumeFacts:
    volume = volume_at(conn, path)
    if volume is None:
        raise NotFound(f"No pool of this host has a volume {path}.")
    with explaining(f"read {path}"):
        return facts_of(volume)
