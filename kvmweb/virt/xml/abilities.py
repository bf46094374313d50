"""What a host can give to domains and pools, as it says in three documents."""

from kvmweb.virt.xml.document import Flag, Int, Many, Node, Text


class Value(Node):
    tag = "value"
    word = Text(".")


class Choice(Node):
    """An `<enum>`: a name and the words that are allowed."""

    tag = "enum"
    name = Text("@name")
    values = Many(Value)

    @property
    def words(self) -> list[str]:
        """The allowed words, in the host's order."""
        return [each.word for each in self.values]


class CpuModel(Node):
    tag = "model"
    usable = Flag("@usable")
    name = Text(".")


class CpuMode(Node):
    tag = "mode"
    name = Text("@name")
    supported = Flag("@supported")
    models = Many(CpuModel)


class DomainCapabilities(Node):
    tag = "domainCapabilities"
    emulator = Text("path")
    machine = Text("machine")
    max_vcpus = Int("vcpu/@max")
    firmwares = Many(Choice, "os")
    loader = Flag("os/loader/@supported")
    loaders = Many(Choice, "os/loader")
    cpu_modes = Many(CpuMode, "cpu")
    disks = Many(Choice, "devices/disk")
    screens = Many(Choice, "devices/graphics")
    videos = Many(Choice, "devices/video")
    file_systems = Many(Choice, "devices/filesystem")
    tpm = Flag("devices/tpm/@supported")
    tpms = Many(Choice, "devices/tpm")


class PoolKind(Node):
    tag = "pool"
    type = Text("@type")
    supported = Flag("@supported")


class PoolCapabilities(Node):
    tag = "storagepoolCapabilities"
    kinds = Many(PoolKind)
