"""The canary's document: the demo guest's kernel in a little memory, and nothing else."""

from uuid import UUID

from deploy import demo
from hosts.models import Host
from kvmweb.virt.xml.devices import Console, Rng, Serial
from kvmweb.virt.xml.domain import OS, Domain

MEMORY_BYTES = demo.MEMORY_MIB * 1024**2
NAME = "kvmweb-canary"


def document(name: str, uuid: UUID, host: Host, kernel: str, initrd: str) -> str:
    """A guest without disks, network or screen, to be started and never defined."""
    doc = Domain.make(
        type=host.virt_type,
        name=name,
        uuid=str(uuid),
        title="Canary",
        description="Moved about by kvmweb to prove that guests can be. It ends by itself.",
        memory=MEMORY_BYTES,
        vcpus=1,
        acpi=True,
        on_reboot="destroy",
        on_crash="destroy",
        balloon="virtio",
    )
    doc.os = OS.make(
        type="hvm", kernel=kernel, initrd=initrd, cmdline=demo.COMMAND_LINE
    )
    if host.arch == "x86_64":
        doc.os.arch, doc.os.machine = host.arch, "q35"
    doc.serials.add(Serial.make(type="pty", port=0))
    doc.consoles.add(Console.make(type="pty", target_type="serial", port=0))
    doc.rngs.add(
        Rng.make(model="virtio", backend_model="random", backend="/dev/urandom")
    )
    return str(doc)


def elsewhere(xml: str, kernel: str, initrd: str) -> str:
    """The same guest for a host that keeps its kernel at another path."""
    doc = Domain.parse(xml)
    if doc.os is not None:
        doc.os.kernel, doc.os.initrd = kernel, initrd
    return str(doc)
