"""What a host says it is and can do."""

from kvmweb.virt.xml.document import Int, Many, Node, Size, Text


class Cpu(Node):
    tag = "cpu"
    id = Int("@id")
    socket = Int("@socket_id")


class Pages(Node):
    """Memory in pages of one size."""

    tag = "pages"
    size = Size("@size")
    count = Int(".")


class Cell(Node):
    tag = "cell"
    id = Int("@id")
    memory = Size("memory")
    pages = Many(Pages)
    cpus = Many(Cpu, "cpus")


class VirtType(Node):
    tag = "domain"
    type = Text("@type")


class Machine(Node):
    tag = "machine"
    name = Text(".")
    canonical = Text("@canonical")


class Guest(Node):
    tag = "guest"
    os_type = Text("os_type")
    arch = Text("arch/@name")
    emulator = Text("arch/emulator")
    virt_types = Many(VirtType, "arch")
    machines = Many(Machine, "arch")


class Capabilities(Node):
    tag = "capabilities"
    uuid = Text("host/uuid")
    arch = Text("host/cpu/arch")
    cpu_model = Text("host/cpu/model")
    cpu_vendor = Text("host/cpu/vendor")
    cells = Many(Cell, "host/topology/cells")
    guests = Many(Guest)


class SysinfoEntry(Node):
    tag = "entry"
    name = Text("@name")
    value = Text(".")


class SysinfoProcessor(Node):
    tag = "processor"
    entries = Many(SysinfoEntry)


class Sysinfo(Node):
    tag = "sysinfo"
    processors = Many(SysinfoProcessor)
