"""A domain's document: what we read of one, change in one, and put into a new one."""

from lxml import etree

from kvmweb.virt.xml import ranges
from kvmweb.virt.xml.devices import (
    Channel,
    Console,
    Controller,
    Disk,
    Filesystem,
    Graphics,
    Hostdev,
    Input,
    MemoryDevice,
    Nic,
    Rng,
    Serial,
    Sound,
    Tpm,
    Video,
    Watchdog,
)
from kvmweb.virt.xml.document import Flag, Int, Many, Node, One, Size, Text

OURS = "urn:kvmweb:1"
_OSINFO = "metadata/{http://libosinfo.org/xmlns/libvirt/domain/1.0}libosinfo"
AGENT = "org.qemu.guest_agent.0"
etree.register_namespace("kvmweb", OURS)


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
    nvram_template = Text("nvram/@template")
    boot_menu = Flag("bootmenu/@enable")
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


class Vcpu(Node):
    """One vCPU and whether it is there now; libvirt numbers them from 0."""

    tag = "vcpu"
    id = Int("@id")
    enabled = Flag("@enabled")
    hotpluggable = Flag("@hotpluggable")
    order = Int("@order")


class CpuFeature(Node):
    tag = "feature"
    name = Text("@name")
    policy = Text("@policy")


class NumaCell(Node):
    tag = "cell"
    id = Int("@id")
    cpus = Text("@cpus")
    memory = Int("@memory")  # in the unit that @unit says, KiB without one
    unit = Text("@unit")


class Timer(Node):
    tag = "timer"
    name = Text("@name")
    tickpolicy = Text("@tickpolicy")
    present = Flag("@present")


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
    max_memory = Size("maxMemory")
    memory_slots = Int("maxMemory/@slots")
    hugepages = Flag("memoryBacking/hugepages")
    memory_source = Text("memoryBacking/source/@type")
    memory_access = Text("memoryBacking/access/@mode")
    memory_locked = Flag("memoryBacking/locked")
    vcpus = Int("vcpu")
    vcpus_current = Int("vcpu/@current")
    vcpu_placement = Text("vcpu/@placement")
    cpuset = Text("vcpu/@cpuset")
    vcpu_list = Many(Vcpu, "vcpus")
    cpu_shares = Int("cputune/shares")
    iothreads = Int("iothreads")
    os = One(OS)
    osinfo = Text(f"{_OSINFO}/{{http://libosinfo.org/xmlns/libvirt/domain/1.0}}os/@id")
    ours = One(Ours, "metadata")
    acpi = Flag("features/acpi")
    apic = Flag("features/apic")
    smm = Flag("features/smm/@state", words=("on", "off"))
    vmport = Flag("features/vmport/@state", words=("on", "off"))
    hyperv_relaxed = Flag("features/hyperv/relaxed/@state", words=("on", "off"))
    hyperv_vapic = Flag("features/hyperv/vapic/@state", words=("on", "off"))
    hyperv_spinlocks = Flag("features/hyperv/spinlocks/@state", words=("on", "off"))
    hyperv_retries = Int("features/hyperv/spinlocks/@retries")
    cpu_mode = Text("cpu/@mode")
    cpu_match = Text("cpu/@match")
    cpu_check = Text("cpu/@check")
    cpu_migratable = Text("cpu/@migratable")
    cpu_model = Text("cpu/model")
    cpu_fallback = Text("cpu/model/@fallback")
    cpu_features = Many(CpuFeature, "cpu")
    numa_cells = Many(NumaCell, "cpu/numa")
    cpu_sockets = Int("cpu/topology/@sockets")
    cpu_dies = Int("cpu/topology/@dies")
    cpu_cores = Int("cpu/topology/@cores")
    cpu_threads = Int("cpu/topology/@threads")
    clock = Text("clock/@offset")
    timers = Many(Timer, "clock")
    on_poweroff = Text("on_poweroff")
    on_reboot = Text("on_reboot")
    on_crash = Text("on_crash")
    emulator = Text("devices/emulator")
    suspend_to_mem = Flag("pm/suspend-to-mem/@enabled")
    suspend_to_disk = Flag("pm/suspend-to-disk/@enabled")
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
    tpms = Many(Tpm, "devices")
    watchdogs = Many(Watchdog, "devices")
    inputs = Many(Input, "devices")
    sounds = Many(Sound, "devices")
    controllers = Many(Controller, "devices")
    hostdevs = Many(Hostdev, "devices")
    filesystems = Many(Filesystem, "devices")
    memory_devices = Many(MemoryDevice, "devices")


def check_ranges(doc: Domain) -> None:
    """Refuse numbers that a host would die of. Raises Invalid naming each."""
    ranges.check(doc.element)
