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


class PortGroup(Node):
    """A named way to be on the network: a VLAN, on an Open vSwitch bridge."""

    tag = "portgroup"
    name = Text("@name")
    default = Flag("@default")
    vlans = Many(VlanTag, "vlan")


class Network(Node):
    tag = "network"
    name = Text("name")
    uuid = Text("uuid")
    forwards = Flag("forward")
    mode = Text("forward/@mode")
    nat = Flag("forward/nat")
    nat_ipv6 = Flag("forward/nat/@ipv6")
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
    portgroups = Many(PortGroup)
    ips = Many(IP)
