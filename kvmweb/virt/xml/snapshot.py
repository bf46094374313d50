"""Documents of snapshots: what was kept, where, and the guest as it was then."""

from copy import deepcopy

from kvmweb.virt.xml.devices import Disk
from kvmweb.virt.xml.document import Int, Many, Node, One, Text
from kvmweb.virt.xml.domain import Domain


class SnapshotDisk(Node):
    """One disk of a snapshot; its source is the file that was laid on top of it."""

    tag = "disk"
    name = Text("@name")
    snapshot = Text("@snapshot")
    type = Text("@type")
    format = Text("driver/@type")
    file = Text("source/@file")
    dev = Text("source/@dev")


class InactiveDomain(Domain):
    """What a running guest was defined as when its snapshot was made."""

    tag = "inactiveDomain"


class Snapshot(Node):
    tag = "domainsnapshot"
    name = Text("name")
    description = Text("description")
    state = Text("state")
    parent = Text("parent/name")
    created_s = Int("creationTime")
    memory = Text("memory/@snapshot")
    memory_file = Text("memory/@file")
    disks = Many(SnapshotDisk, "disks")
    domain = One(Domain)
    inactive_domain = One(InactiveDomain)

    def defined(self) -> Domain | None:
        """A copy of what the guest was defined as; None when nobody kept it."""
        kept = self.inactive_domain or self.domain
        if kept is None:
            return None
        element = deepcopy(kept.element)
        element.tag, element.tail = Domain.tag, None
        return Domain(element)

    def ran(self) -> Domain | None:
        """A copy of what ran then, or of what was defined when nothing did."""
        if self.domain is None:
            return None
        element = deepcopy(self.domain.element)
        element.tail = None
        return Domain(element)


class BackingStore(Node):
    """What a disk of a running guest stands on, layer below layer."""

    tag = "backingStore"
    file = Text("source/@file")
    dev = Text("source/@dev")
    format = Text("format/@type")


BackingStore.below = One(BackingStore)  # type: ignore[attr-defined]  # of its own kind


class ChainedDisk(Disk):
    """A disk of a running guest with what it stands on."""

    below = One(BackingStore)

    def chain(self) -> list[str]:
        """The paths of all its layers, the one that is written to first."""
        paths, layer = [self.file or self.dev], self.below
        while layer is not None and (layer.file or layer.dev):
            paths.append(layer.file or layer.dev)
            layer = layer.below  # type: ignore[attr-defined]  # see above
        return paths


class ChainedDomain(Domain):
    """A running guest, to see what its disks stand on."""

    chained = Many(ChainedDisk, "devices")
