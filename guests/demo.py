"""The demo guest: a few MiB of Debian's kernel and busybox, with a screen and a shell."""

from uuid import UUID

from django.conf import settings

from deploy import demo as parts
from guests.far import Far, far_guest, state_afterwards
from hosts.models import Host
from kvmweb.errors import AppError, Conflict, HostTimeout, HostUnreachable, Unavailable
from kvmweb.operations.run import Run
from kvmweb.virt import domains
from kvmweb.virt.types import DomainState
from kvmweb.virt.xml.devices import Console, Graphics, Listen, Nic, Rng, Serial, Video
from kvmweb.virt.xml.domain import OS, Domain

MEMORY_BYTES = 128 * 1024**2
NETWORK = "default"


def make(run: Run) -> None:
    """Define it and start it; what was made is taken away when it cannot start.

    Raises Unavailable when Debian's packages cannot be had.
    """
    name = run.operation.guest_name
    run.progress(0.05, "fetching Debian's kernel and busybox")
    try:
        kernel, initrd = parts.parts_for_qemu(settings.DATA_DIR)
    except parts.DemoError as error:
        raise Unavailable(f"The demo guest cannot be made: {error}") from error
    run.progress(0.7, "defining")
    _define(run, str(kernel), str(initrd))
    run.progress(0.8, "starting")
    with far_guest(run) as far:
        _start(run, far)
    run.say(f"{name} is running: a text screen and a serial shell.")


def document(name: str, uuid: UUID, host: Host, kernel: str, initrd: str) -> str:
    """Its XML. Networked only where the host's default network is active."""
    doc = Domain.make(
        type=_virt_type(host),
        name=name,
        uuid=str(uuid),
        title="Demo guest",
        description="Made by kvmweb from Debian's kernel and busybox. Delete it any time.",
        memory=MEMORY_BYTES,
        vcpus=1,
        acpi=True,
        on_reboot="restart",
        on_crash="destroy",
        balloon="virtio",
        balloon_period_s=2,
    )
    doc.os = OS.make(
        type="hvm", kernel=kernel, initrd=initrd, cmdline=parts.COMMAND_LINE
    )
    if host.arch == "x86_64":
        doc.os.arch, doc.os.machine = host.arch, "q35"
    screen = Graphics.make(type="vnc", port=-1, autoport=True, listen="127.0.0.1")
    screen.listens.add(Listen.make(type="address", address="127.0.0.1"))
    doc.graphics.add(screen)
    doc.videos.add(Video.make(model="vga"))
    doc.serials.add(Serial.make(type="pty", port=0))
    doc.consoles.add(Console.make(type="pty", target_type="serial", port=0))
    doc.rngs.add(
        Rng.make(model="virtio", backend_model="random", backend="/dev/urandom")
    )
    if host.networks.filter(name=NETWORK, active=True).exists():
        doc.nics.add(Nic.make(type="network", network=NETWORK, model="virtio"))
    return str(doc)


def _virt_type(host: Host) -> str:
    """As people chose; else emulation, which boots everywhere.

    Some machines offer a /dev/kvm that hangs every Linux guest, and say nothing of it.
    """
    if host.virt_type_wanted != Host.VirtType.AUTO:
        return host.virt_type_wanted
    return "qemu" if "qemu" in host.virt_types else host.virt_type


def _define(run: Run, kernel: str, initrd: str) -> None:
    name = run.operation.guest_name
    with far_guest(run) as far:
        if far.state() is not None:
            return
        try:
            far.there.run(
                domains.define, document(name, far.uuid, far.host, kernel, initrd)
            )
        except HostTimeout:
            if state_afterwards(far.host, far.uuid, {DomainState.SHUTOFF}) is None:
                raise
        run.log(f"{name} was defined on {far.host.name}.")


def _start(run: Run, far: Far) -> None:
    try:
        far.make(domains.start, {DomainState.RUNNING, DomainState.PAUSED})
    except (HostTimeout, HostUnreachable):
        raise  # nobody knows; what was made stays for people to see
    except AppError as error:
        run.log("It cannot start, so it is taken away again.")
        far.make(domains.undefine, {None})
        raise Conflict(
            f"{run.operation.guest_name} cannot start: {error.detail}", hint=error.hint
        ) from error
