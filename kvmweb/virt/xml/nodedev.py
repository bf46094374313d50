"""A device of the host itself."""

from kvmweb.virt.xml.document import Int, Many, Node, Text


class DeviceCapability(Node):
    """What a device is to one of the host's buses; PCI and USB say different things."""

    tag = "capability"
    type = Text("@type")
    pci_class = Text("class")
    domain = Int("domain")
    bus = Int("bus")
    slot = Int("slot")
    function = Int("function")
    device = Int("device")
    vendor_id = Text("vendor/@id")
    vendor = Text("vendor")
    product_id = Text("product/@id")
    product = Text("product")
    iommu_group = Int("iommuGroup/@number")


class NodeDevice(Node):
    tag = "device"
    name = Text("name")
    driver = Text("driver/name")
    capabilities = Many(DeviceCapability)
