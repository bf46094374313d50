"""What a host can give to its guests, as frozen values; see `types`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HostCapabilities:
    """What a host's libvirt and QEMU can do. Empty where it cannot say."""

    virt_type: str  # the best way to run guests there, which the rest is about
    pool_types: tuple[str, ...]
    machines: tuple[str, ...]  # "q35" and other lasting names first
    cpu_models: tuple[str, ...]  # that can run there
    cpu_modes: tuple[str, ...]  # host-passthrough, host-model, custom, maximum
    host_cpu: str  # the model that host-model comes down to
    firmware: tuple[str, ...]  # bios, uefi, uefi-secure
    tpm: bool  # an emulated one
    virtiofs: bool
    max_vcpus: int  # 0: not known
    hugepages: tuple[int, ...]  # bytes; sizes of which it has pages set aside
    disk_buses: tuple[str, ...]
    screens: tuple[str, ...]  # vnc, spice…
    videos: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PciPlace:
    """Where a device is on the PCI bus."""

    domain: int
    bus: int
    slot: int
    function: int


@dataclass(frozen=True, slots=True)
class UsbPlace:
    """Where a device is on the USB; another one when it is plugged in again."""

    bus: int
    device: int


@dataclass(frozen=True, slots=True)
class NodeDeviceFacts:
    """A device of the host itself that could be given to a guest."""

    name: str
    kind: str  # usb, pci
    vendor: str
    product: str
    vendor_id: str  # "0x8086"
    product_id: str
    address: PciPlace | UsbPlace
    driver: str  # of the host, that has it now
    iommu_group: int | None  # PCI: what is in one group can be given only together


@dataclass(frozen=True, slots=True)
class InterfaceFacts:
    """A network interface of the host itself."""

    name: str
    kind: str  # bridge, ethernet, bond, vlan; an Open vSwitch bridge is none of bridge


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is around the guests of a host."""

    capabilities: HostCapabilities
    devices: tuple[NodeDeviceFacts, ...]
    filters: tuple[str, ...]  # names of packet filters
    interfaces: tuple[InterfaceFacts, ...] = ()
