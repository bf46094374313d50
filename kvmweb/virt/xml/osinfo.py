"""Documents of osinfo-db: what operating systems are and what they need."""

from kvmweb.virt.xml.document import Int, Many, Node, Text


class Parent(Node):
    """The system that this one is a later version of; it has what that one has."""

    tag = "derives-from"
    id = Text("@id")


class Original(Node):
    tag = "clones"
    id = Text("@id")


class Resources(Node):
    """How much a system needs, for one architecture or for all; bytes."""

    tag = "resources"
    arch = Text("@arch")
    least_cpus = Int("minimum/n-cpus")
    least_memory = Int("minimum/ram")
    least_storage = Int("minimum/storage")
    good_cpus = Int("recommended/n-cpus")
    good_memory = Int("recommended/ram")
    good_storage = Int("recommended/storage")


class Firmware(Node):
    tag = "firmware"
    arch = Text("@arch")
    type = Text("@type")  # "bios", "efi"
    supported = Text("@supported")  # "false", or nothing


class Driven(Node):
    """A device that it has a driver for."""

    tag = "device"
    id = Text("@id")
    supported = Text("@supported")  # "false", or nothing


class System(Node):
    tag = "os"
    id = Text("@id")
    short_id = Text("short-id")
    name = Text("name")  # the first one: in English
    version = Text("version")
    family = Text("family")
    distro = Text("distro")
    released = Text("release-date")
    ended = Text("eol-date")
    release_status = Text("release-status")
    parents = Many(Parent)
    originals = Many(Original)
    firmwares = Many(Firmware)
    resources = Many(Resources)
    devices = Many(Driven, "devices")


class Libosinfo(Node):
    tag = "libosinfo"
    version = Text("@version")
    systems = Many(System)
