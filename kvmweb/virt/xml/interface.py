"""A network interface of the host itself."""

from kvmweb.virt.xml.document import Node, Text


class Interface(Node):
    tag = "interface"
    name = Text("@name")
    type = Text("@type")
