"""The devices of a domain: disks, network cards, screens and what else can be plugged in."""

from kvmweb.virt.xml.document import Flag, Int, Many, Node, One, Size, Text


class PciAddress(Node):
    """Where a PCI device sits; numbers as libvirt writes them ("0x0000")."""

    tag = "address"
    type = Text("@type")
    domain = Text("@domain")
    bus = Text("@bus")
    slot = Text("@slot")
    function = Text("@function")


class Iotune(Node):
    """Limits of a disk; bytes and operations a second."""

    tag = "iotune"
    total_bytes_s = Int("total_bytes_sec")
    read_bytes_s = Int("read_bytes_sec")
    write_bytes_s = Int("write_bytes_sec")
    total_iops = Int("total_iops_sec")
    read_iops = Int("read_iops_sec")
    write_iops = Int("write_iops_sec")


class Disk(Node):
    tag = "disk"
    type = Text("@type")
    device = Text("@device")
    snapshot = Text("@snapshot")
    driver = Text("driver/@name")
    format = Text("driver/@type")
    cache = Text("driver/@cache")
    discard = Text("driver/@discard")
    detect_zeroes = Text("driver/@detect_zeroes")
    io = Text("driver/@io")
    iothread = Int("driver/@iothread")
    queues = Int("driver/@queues")
    file = Text("source/@file")
    dev = Text("source/@dev")
    dir = Text("source/@dir")
    pool = Text("source/@pool")
    volume = Text("source/@volume")
    protocol = Text("source/@protocol")
    source_name = Text("source/@name")
    startup_policy = Text("source/@startupPolicy")
    target = Text("target/@dev")
    bus = Text("target/@bus")
    tray = Text("target/@tray")
    rotation_rate = Int("target/@rotation_rate")
    readonly = Flag("readonly")
    shareable = Flag("shareable")
    serial = Text("serial")
    wwn = Text("wwn")
    boot_order = Int("boot/@order")
    iotune = One(Iotune)
    alias = Text("alias/@name")


class Parameter(Node):
    tag = "parameter"
    name = Text("@name")
    value = Text("@value")


class FilterRef(Node):
    """Which nwfilter guards a network card."""

    tag = "filterref"
    filter = Text("@filter")
    parameters = Many(Parameter)


class Traffic(Node):
    """One direction's limit; KiB a second, the burst in KiB."""

    average = Int("@average")
    peak = Int("@peak")
    burst = Int("@burst")


class Inbound(Traffic):
    tag = "inbound"


class Outbound(Traffic):
    tag = "outbound"


class NicVlanTag(Node):
    tag = "tag"
    id = Int("@id")


class Nic(Node):
    tag = "interface"
    type = Text("@type")
    mac = Text("mac/@address")
    network = Text("source/@network")
    bridge = Text("source/@bridge")
    dev = Text("source/@dev")
    mode = Text("source/@mode")
    source_name = Text("source/@name")
    portgroup = Text("source/@portgroup")
    virtualport = Text("virtualport/@type")
    model = Text("model/@type")
    driver = Text("driver/@name")
    queues = Int("driver/@queues")
    target = Text("target/@dev")
    link = Text("link/@state")
    mtu = Int("mtu/@size")
    filterref = One(FilterRef)
    inbound = One(Inbound, "bandwidth")
    outbound = One(Outbound, "bandwidth")
    vlan_tags = Many(NicVlanTag, "vlan")
    boot_order = Int("boot/@order")
    alias = Text("alias/@name")


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
    keymap = Text("@keymap")
    listens = Many(Listen)


class GuardedScreen(Graphics):
    """A screen with the password that nobody reads back."""

    password = Text("@passwd")
    valid_to = Text("@passwdValidTo")


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


class Tpm(Node):
    tag = "tpm"
    model = Text("@model")
    backend = Text("backend/@type")
    version = Text("backend/@version")
    persistent = Flag("backend/@persistent_state")


class Watchdog(Node):
    tag = "watchdog"
    model = Text("@model")
    action = Text("@action")


class Input(Node):
    tag = "input"
    type = Text("@type")
    bus = Text("@bus")


class Sound(Node):
    tag = "sound"
    model = Text("@model")


class Controller(Node):
    tag = "controller"
    type = Text("@type")
    index = Int("@index")
    model = Text("@model")
    iothread = Int("driver/@iothread")
    queues = Int("driver/@queues")


class Hostdev(Node):
    """A device of the host given to the guest; USB by vendor and product, or PCI."""

    tag = "hostdev"
    mode = Text("@mode")
    type = Text("@type")
    managed = Flag("@managed")
    startup_policy = Text("source/@startupPolicy")
    vendor = Text("source/vendor/@id")
    product = Text("source/product/@id")
    address = One(PciAddress, "source")
    usb_bus = Int("source/address/@bus")
    usb_device = Int("source/address/@device")
    boot_order = Int("boot/@order")
    alias = Text("alias/@name")


class Filesystem(Node):
    """A directory of the host seen by the guest: virtiofs or 9p."""

    tag = "filesystem"
    type = Text("@type")
    accessmode = Text("@accessmode")
    driver = Text("driver/@type")
    queue = Int("driver/@queue")
    binary = Text("binary/@path")
    source = Text("source/@dir")
    target = Text("target/@dir")
    readonly = Flag("readonly")


class MemoryDevice(Node):
    """A module of memory that can be plugged in while the guest runs."""

    tag = "memory"
    model = Text("@model")
    size = Size("target/size")
    node = Int("target/node")
    requested = Size("target/requested")
    block = Size("target/block")
