"""Devices of a host that could be given to a guest: what is on its USB and PCI buses."""

import libvirt

from kvmweb.errors import Invalid
from kvmweb.virt.abilities import NodeDeviceFacts, PciPlace, UsbPlace
from kvmweb.virt.connection import READ_S, verb
from kvmweb.virt.errors import explain
from kvmweb.virt.xml.document import number
from kvmweb.virt.xml.nodedev import DeviceCapability, NodeDevice

_USB = libvirt.VIR_CONNECT_LIST_NODE_DEVICES_CAP_USB_DEV
_PCI = libvirt.VIR_CONNECT_LIST_NODE_DEVICES_CAP_PCI_DEV
_BRIDGE = 0x06  # PCI's class of what connects buses
_HUBS = 0x1D6B  # the vendor that Linux gives its own root hubs
_MOST = 2000  # more than any machine has; each costs a round trip
_NONE_THERE = (libvirt.VIR_ERR_NO_SUPPORT, libvirt.VIR_ERR_INVALID_ARG)

Known = dict[str, NodeDeviceFacts | None]


@verb(deadline_s=READ_S)
def look(
    conn: libvirt.virConnect, pci: Known | None = None
) -> tuple[NodeDeviceFacts, ...]:
    """USB devices, and PCI devices but bridges, by name; none where it has no such thing.

    `pci` remembers what was read of PCI devices, which seldom change, for the next look.
    """
    remembered = {} if pci is None else pci
    found = [_read(each) for each in _listed(conn, _USB)]
    listed = {str(each.name()): each for each in _listed(conn, _PCI)}
    for name in remembered.keys() - listed.keys():
        del remembered[name]
    for name, device in listed.items():
        if name not in remembered:
            remembered[name] = _read(device)
    found += remembered.values()
    return tuple(sorted(filter(None, found), key=lambda each: each.name))


def _listed(conn: libvirt.virConnect, kind: int) -> list[libvirt.virNodeDevice]:
    try:
        return list(conn.listAllDevices(kind))[:_MOST]
    except libvirt.libvirtError as error:
        if error.get_error_code() in _NONE_THERE:
            return []
        raise explain(error, "list the host's devices") from error


def _read(device: libvirt.virNodeDevice) -> NodeDeviceFacts | None:
    """One device; None when it went, or is nothing to give away."""
    try:
        document = NodeDevice.parse(device.XMLDesc(0))
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_NODE_DEVICE:
            return None
        raise explain(error, f"read the device {device.name()}") from error
    except Invalid:
        return None
    for each in document.capabilities:
        if each.type == "pci" and (number(each.pci_class) or 0) >> 16 != _BRIDGE:
            return _facts(document, each, "pci", _pci(each))
        if each.type == "usb_device" and number(each.vendor_id) != _HUBS:
            place = UsbPlace(each.bus or 0, each.device or 0)
            return _facts(document, each, "usb", place)
    return None


def _pci(told: DeviceCapability) -> PciPlace:
    return PciPlace(told.domain or 0, told.bus or 0, told.slot or 0, told.function or 0)


def _facts(
    document: NodeDevice, told: DeviceCapability, kind: str, place: PciPlace | UsbPlace
) -> NodeDeviceFacts:
    return NodeDeviceFacts(
        name=document.name,
        kind=kind,
        vendor=told.vendor.strip(),
        product=told.product.strip(),
        vendor_id=told.vendor_id,
        product_id=told.product_id,
        address=place,
        driver=document.driver,
        iommu_group=told.iommu_group,
    )
