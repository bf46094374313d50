"""More memory for a guest that runs: modules plugged in, or virtio-mem asked for more."""

from guests.hardware.machine import Machine
from guests.hardware.parts import copied
from kvmweb.errors import AppError, HostUnreachable
from kvmweb.virt.xml.devices import MemoryDevice
from kvmweb.virt.xml.domain import Domain

_MODULE = 128 * 1024**2  # what Linux can take in one piece
_BLOCK = 2 * 1024**2
_VIRTIO = "virtio-mem"


def grow(machine: Machine, wanted: int) -> None:
    """Give what runs this much memory at most, where it has slots or virtio-mem.

    Where it has neither nothing happens: its definition says it from the next start on.
    """
    live = machine.live
    if live is None or (live.memory or 0) >= wanted:
        return
    try:
        if live.max_memory and live.memory_slots and len(live.numa_cells):
            _plug(machine, live, wanted)
    except HostUnreachable:
        raise
    except AppError as error:
        machine.run.log(f"No memory was plugged in: {error.detail}")


def request(machine: Machine, wanted: int) -> None:
    """Have virtio-mem, where the guest has it, hold what is above its plain memory."""
    live = machine.live
    if live is None or _virtio(live) is None:
        return
    sizes = sum(it.size or 0 for it in live.memory_devices if it.model == _VIRTIO)
    plain = (live.memory or 0) - sizes

    def change(device: MemoryDevice) -> None:
        block = device.block or _BLOCK
        more = min(max(wanted - plain, 0), device.size or 0) // block * block
        if device.requested != more:
            device.requested = more

    machine.adjust(_virtio, change)


def _plug(machine: Machine, live: Domain, wanted: int) -> None:
    missing = wanted - (live.memory or 0)
    size = -(-missing // _MODULE) * _MODULE
    module = MemoryDevice.make(model="dimm", size=size, node=0)
    whole = (live.memory or 0) + size

    def find(doc: Domain) -> MemoryDevice | None:
        modules = list(doc.memory_devices)
        return modules[-1] if modules and (doc.memory or 0) >= whole else None

    def add(doc: Domain, device: MemoryDevice) -> None:
        if (doc.memory or 0) < whole:
            doc.memory_devices.add(copied(device))

    machine.plug(module, find, add)


def _virtio(doc: Domain) -> MemoryDevice | None:
    return next((it for it in doc.memory_devices if it.model == _VIRTIO), None)
