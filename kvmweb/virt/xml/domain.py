"""A domain's document: what we read of one, and what a small new one needs."""

from lxml import etree

from kvmweb.virt.xml import ranges
from kvmweb.virt.xml.document import Flag, Int, Many, Node, One, Size, Text

OURS = "urn:kvmweb:1"
_OSINFO = "metadata/{http://libosinfo.org/xmlns/libvirt/domain/1.0}libosinfo"
AGENT = "org.qemu.guest_agent.0"
etree.register_namespace("kvmweb", OURS)


class Driver(Node):
    tag = "driver"
    name = Text("@name")
    type = Text("@type")
    cache = Text("@cache")
    discard = Text("@discard")


class Disk(Node):
    tag = "disk"
    type = Text("@type")
    device = Text("@device")
    driver = Text("driver/@name")
    format = Text("driver/@type")
    cache = Text("driver/@cache")
    discard = Text("driver/@discard")
    file = Text("source/@file")
    dev = Text("source/@dev")
    dir = Text("source/@dir")
    pool = Text("source/@pool")
    volume = Text("source/@volume")
    target = Text("target/@dev")
    bus = Text("target/@bus")
    readonly = Flag("readonly")
    shareable = Flag("shareable")
    serial = Text("serial")
    boot_order = Int("boot/@order")


class Nic(Node):
    tag = "interface"
    type = Text("@type")
    mac = Text("mac/@address")
    network = Text("source/@network")
    bridge = Text("source/@bridge")
    dev = Text("source/@dev")
    source_name = Text("source/@name")
    portgroup = Text("source/@portgroup")
    model = Text("model/@type")
    target = Text("target/@dev")
    link = Text("link/@state")
    boot_order = Int("boot/@order")


class Listen(Node):
    tag = "listen"
    type = Text("@type")
    address = Text("@address")
    network = Text("@network")
    socket = Text("@socket")


class Graphics(Node):
    tag = "graphics"
    type = Text("@type")
    port = Int("@port")
    tls_port = Int("@tlsPort")
    autoport = Flag("@autoport")
    listen = Text("@listen")
    socket = Text("@socket")
    listens = Many(Listen)


class Serial(Node):
    tag = "serial"
    type = Text("@type")
    path = Text("source/@path")
    port = Int("target/@port")
    target_type = Text("target/@type")


class Console(Node):
    tag = "console"
    type = Text("@type")
    port = Int("target/@port")
    target_type = Text("target/@type")


class Channel(Node):
    tag = "channel"
    type = Text("@type")
    target_type = Text("target/@type")
    name = Text("target/@name")
    state = Text("target/@state")
    path = Text("source/@path")


class Video(Node):
    tag = "video"
    model = Text("model/@type")
    vram = Int("model/@vram")
    heads = Int("model/@heads")


class Rng(Node):
    tag = "rng"
    model = Text("@model")
    backend_model = Text("backend/@model")
    backend = Text("backend")


class Boot(Node):
    tag = "boot"
    dev = Text("@dev")


class Feature(Node):
    tag = "feature"
    name = Text("@name")
    enabled = Flag("@enabled")


class OS(Node):
    tag = "os"
    firmware = Text("@firmware")
    type = Text("type")
    arch = Text("type/@arch")
    machine = Text("type/@machine")
    loader = Text("loader")
    loader_type = Text("loader/@type")
    loader_secure = Flag("loader/@secure")
    loader_readonly = Flag("loader/@readonly")
    nvram = Text("nvram")
    kernel = Text("kernel")
    initrd = Text("initrd")
    cmdline = Text("cmdline")
    boots = Many(Boot)
    features = Many(Feature, "firmware")


class Tag(Node):
    tag = f"{{{OURS}}}tag"
    name = Text(".")


class Ours(Node):
    """What we write of a guest beside the host's own words; a copy, never believed."""

    tag = f"{{{OURS}}}guest"
    owner = Text("@owner")
    project = Text("@project")
    lease = Text("@lease")
    tags = Many(Tag)


class Domain(Node):
    tag = "domain"
    type = Text("@type")
    id = Int("@id")
    name = Text("name")
    uuid = Text("uuid")
    title = Text("title")
    description = Text("description")
    memory = Size("memory")
    current_memory = Size("currentMemory")
    vcpus = Int("vcpu")
    vcpus_current = Int("vcpu/@current")
    iothreads = Int("iothreads")
    os = One(OS)
    osinfo = Text(f"{_OSINFO}/{{http://libosinfo.org/xmlns/libvirt/domain/1.0}}os/@id")
    ours = One(Ours, "metadata")
    acpi = Flag("features/acpi")
    apic = Flag("features/apic")
    cpu_mode = Text("cpu/@mode")
    cpu_sockets = Int("cpu/topology/@sockets")
    cpu_dies = Int("cpu/topology/@dies")
    cpu_cores = Int("cpu/topology/@cores")
    cpu_threads = Int("cpu/topology/@threads")
    clock = Text("clock/@offset")
    on_poweroff = Text("on_poweroff")
    on_reboot = Text("on_reboot")
    on_crash = Text("on_crash")
    emulator = Text("devices/emulator")
    balloon = Text("devices/memballoon/@model")
    balloon_period_s = Int("devices/memballoon/stats/@period")
    disks = Many(Disk, "devices")
    nics = Many(Nic, "devices")
    graphics = Many(Graphics, "devices")
    serials = Many(Serial, "devices")
    consoles = Many(Console, "devices")
    channels = Many(Channel, "devices")
    videos = Many(Video, "devices")
    rngs = Many(Rng, "devices")


def check_ranges(doc: Domain) -> None:
    """Refuse numbers that a host would die of. Raises Invalid naming each."""
    ranges.check(doc.element)
