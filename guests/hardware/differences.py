"""What differs between two documents of a guest, in words, and how to undo it. Pure."""

from collections.abc import Iterator
from typing import Any

from guests.hardware.devices import (
    OTHERS,
    Difference,
    Sizes,
    disks,
    key,
    nics,
    others,
    pair,
    word,
)
from guests.hardware.parts import boot_order, copied, drop_vcpu_list
from kvmweb.errors import Invalid
from kvmweb.virt.xml.document import Node
from kvmweb.virt.xml.domain import Domain
from kvmweb.virt.xml.lasting import lasting

_EXPANDED = ("host-model", "maximum", "")  # a running document says what became of them


def changes_between(
    before_xml: str, after_xml: str, *, sizes: Sizes | None = None
) -> list[str]:
    """What changed from one version to the next, each as a few words; never raises."""
    try:
        before = Domain.parse(before_xml, recover=True)
        after = Domain.parse(after_xml, recover=True)
    except Invalid:
        return ["one of the two documents cannot be read"]
    found = [each.sentence for each in differences(before, after, sizes=sizes)]
    if not found and lasting(before_xml) != lasting(after_xml):
        return ["details of its document"]
    return found


def pending(live_xml: str, config_xml: str, sizes: Sizes | None = None) -> list[str]:
    """What a running guest will be otherwise at its next start; never raises."""
    try:
        live = Domain.parse(live_xml, recover=True)
        config = Domain.parse(config_xml, recover=True)
    except Invalid:
        return []
    return [
        each.sentence for each in differences(live, config, running=True, sizes=sizes)
    ]


def revoke(live_xml: str, config: Domain) -> list[str]:
    """Make a definition say again what runs; what was taken back, in words."""
    live = Domain.parse(lasting(live_xml))
    found = list(differences(live, config, running=True))
    for each in found:
        each.undo(config)
    return [each.sentence for each in found]


def differences(
    before: Domain, after: Domain, *, running: bool = False, sizes: Sizes | None = None
) -> Iterator[Difference]:
    """Everything a person would name. `running`: the first is what runs now."""
    yield from _processors(before, after)
    yield from _memory(before, after, running=running)
    yield from _boot(before, after)
    for name, path, whole in _FIELDS:
        if not (running and _is_expanded(path, after)):
            yield from _field(before, after, name, path, whole=whole)
    yield from disks(before, after, sizes or {})
    yield from nics(before, after)
    for kind, describe in OTHERS.items():
        if not (running and kind == "controllers"):
            yield from others(before, after, kind, describe)


def _is_expanded(path: str, after: Domain) -> bool:
    """Whether libvirt says something else of it while it runs, and means the same."""
    if path.startswith("cpu_"):
        return after.cpu_mode in _EXPANDED
    return path in {"name", "emulator"}


# Counts and amounts


def _processors(before: Domain, after: Domain) -> Iterator[Difference]:
    def undo(doc: Domain) -> None:
        doc.vcpus, doc.vcpus_current = before.vcpus, before.vcpus_current
        drop_vcpu_list(doc)
        for each in before.vcpu_list:
            doc.vcpu_list.add(copied(each))
        for name in ("cpu_sockets", "cpu_dies", "cpu_cores", "cpu_threads"):
            setattr(doc, name, getattr(before, name))

    most = [doc.vcpus or 1 for doc in (before, after)]
    now = [doc.vcpus_current or doc.vcpus or 1 for doc in (before, after)]
    shapes = [(it.cpu_sockets, it.cpu_cores, it.cpu_threads) for it in (before, after)]
    if now[0] != now[1]:
        yield Difference(f"vCPUs {now[0]} → {now[1]}", undo)
    if most[0] != most[1] and most != now:
        yield Difference(f"vCPUs at most {most[0]} → {most[1]}", undo)
    if shapes[0] != shapes[1] and most[0] == most[1]:
        told = [" × ".join(str(it or 1) for it in shape) for shape in shapes]
        yield Difference(f"topology {told[0]} → {told[1]}", undo)


def _memory(before: Domain, after: Domain, *, running: bool) -> Iterator[Difference]:
    def undo(doc: Domain) -> None:
        doc.memory, doc.current_memory = before.memory, before.current_memory
        doc.max_memory, doc.memory_slots = before.max_memory, before.memory_slots
        for mine, its in zip(doc.numa_cells, before.numa_cells, strict=False):
            mine.memory, mine.unit = its.memory, its.unit or None

    most = [doc.memory or 0 for doc in (before, after)]
    now = [doc.current_memory or doc.memory or 0 for doc in (before, after)]
    hot = [doc.max_memory or 0 for doc in (before, after)]
    # A guest that has just started has not given back yet what its balloon is to hold.
    inflating = running and most[0] == most[1] and now[1] < now[0]
    if now[0] != now[1] and not inflating:
        yield Difference(f"memory {pair(*now)}", undo)
    if most[0] != most[1] and most != now:
        yield Difference(f"memory at most {pair(*most)}", undo)
    if hot[0] != hot[1]:
        yield Difference(f"memory to plug in, at most {pair(*hot)}", undo)


def _boot(before: Domain, after: Domain) -> Iterator[Difference]:
    orders = [boot_order(doc) for doc in (before, after)]
    if orders[0] == orders[1]:
        return

    def undo(doc: Domain) -> None:
        for kind in ("disks", "nics"):
            theirs = {key(it): it.boot_order for it in getattr(before, kind)}
            for each in getattr(doc, kind):
                each.boot_order = theirs.get(key(each))
        if doc.os and before.os:
            doc.os.boots = [copied(each) for each in before.os.boots]

    told = [", ".join(order) or "as its firmware likes" for order in orders]
    yield Difference(f"boots from {told[0]} → {told[1]}", undo)


# Single values

_FIELDS = (  # what people call it, where it is, whether the value is worth reading
    ("name", "name", True),
    ("title", "title", True),
    ("description", "description", False),
    ("virtualisation", "type", True),
    ("machine", "os.machine", True),
    ("firmware", "os.firmware", True),
    ("firmware's file", "os.loader", True),
    ("boot menu", "os.boot_menu", True),
    ("kernel", "os.kernel", True),
    ("initial RAM disk", "os.initrd", True),
    ("kernel's command line", "os.cmdline", True),
    ("operating system", "osinfo", True),
    ("processor", "cpu_mode", True),
    ("processor's model", "cpu_model", True),
    ("CPU shares", "cpu_shares", True),
    ("CPUs of its host", "cpuset", True),
    ("huge pages", "hugepages", True),
    ("memory's backing", "memory_source", True),
    ("memory's sharing", "memory_access", True),
    ("locked memory", "memory_locked", True),
    ("IO threads", "iothreads", True),
    ("ACPI", "acpi", True),
    ("SMM", "smm", True),
    ("clock", "clock", True),
    ("when it powers off", "on_poweroff", True),
    ("when it reboots", "on_reboot", True),
    ("when it crashes", "on_crash", True),
    ("emulator", "emulator", True),
    ("balloon", "balloon", True),
)


def _field(
    before: Domain, after: Domain, name: str, path: str, *, whole: bool
) -> Iterator[Difference]:
    old, new = _get(before, path), _get(after, path)
    if old == new:
        return

    def undo(doc: Domain) -> None:
        holder, field = _holder(doc, path)
        if holder is not None:
            setattr(holder, field, old or None)

    told = f"{name} {word(old)} → {word(new)}" if whole else f"{name} changed"
    yield Difference(told, undo)


def _get(doc: Domain, path: str) -> Any:
    holder, name = _holder(doc, path)
    return getattr(holder, name, "") if holder is not None else ""


def _holder(doc: Domain, path: str) -> tuple[Node | None, str]:
    inside, _, name = path.rpartition(".")
    return (getattr(doc, inside) if inside else doc), name
