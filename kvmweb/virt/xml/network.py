"""A virtual network's document."""

from kvmweb.virt.xml.document import Flag, Int, Many, Node, Text


class DhcpRange(Node):
    tag = "range"
    start = Text("@start")
    end = Text("@end")


class DhcpHost(Node):
    tag = "host"
    mac = Text("@mac")
    name = Text("@name")
    ip = Text("@ip")


class IP(Node):
    tag = "ip"
    family = Text("@family")
    address = Text("@address")
    netmask = Text("@netmask")
    prefix = Int("@prefix")
    dhcp = Flag("dhcp")
    ranges = Many(DhcpRange, "dhcp")
    hosts = Many(DhcpHost, "dhcp")


class VlanTag(Node):
    tag = "tag"
    id = Int("@id")


class Interface(Node):
    tag = "interface"
    dev = Text("@dev")


class Network(Node):
    tag = "network"
    name = Text("name")
    uuid = Text("uuid")
    forwards = Flag("forward")
    mode = Text("forward/@mode")
    forward_dev = Text("forward/@dev")
    forward_interfaces = Many(Interface, "forward")
    bridge = Text("bridge/@name")
    stp = Flag("bridge/@stp", words=("on", "off"))
    mac = Text("mac/@address")
    domain = Text("domain/@name")
    mtu = Int("mtu/@size")
    virtualport = Text("virtualport/@type")
    vlan_trunk = Flag("vlan/@trunk")
    vlans = Many(VlanTag, "vlan")
    ips = Many(IP)
