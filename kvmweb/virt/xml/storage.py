"""Documents of storage pools and volumes."""

from kvmweb.virt.xml.document import Many, Node, Size, Text


class SourceHost(Node):
    tag = "host"
    name = Text("@name")
    port = Text("@port")


class SourceDevice(Node):
    tag = "device"
    path = Text("@path")


class Pool(Node):
    tag = "pool"
    type = Text("@type")
    name = Text("name")
    uuid = Text("uuid")
    capacity = Size("capacity", "bytes")
    allocation = Size("allocation", "bytes")
    available = Size("available", "bytes")
    source_name = Text("source/name")
    source_dir = Text("source/dir/@path")
    source_adapter = Text("source/adapter/@name")
    source_format = Text("source/format/@type")
    initiator = Text("source/initiator/iqn/@name")
    auth_type = Text("source/auth/@type")
    auth_username = Text("source/auth/@username")
    auth_secret = Text("source/auth/secret/@uuid")
    source_hosts = Many(SourceHost, "source")
    source_devices = Many(SourceDevice, "source")
    target = Text("target/path")


class Volume(Node):
    tag = "volume"
    type = Text("@type")
    name = Text("name")
    key = Text("key")
    capacity = Size("capacity", "bytes")
    allocation = Size("allocation", "bytes")
    physical = Size("physical", "bytes")
    path = Text("target/path")
    format = Text("target/format/@type")
    compat = Text("target/compat")
    mode = Text("target/permissions/mode")
    backing_path = Text("backingStore/path")
    backing_format = Text("backingStore/format/@type")
