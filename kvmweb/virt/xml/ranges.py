"""Numbers in a domain's document that a host would die of, found before it reads them.

libvirt 9.0 allocates what a document asks for before it asks whether it makes sense:
`<vcpu>-1</vcpu>` is four thousand million vCPUs and kills libvirtd, by `virsh define`
too; a disk on controller 99999999 makes it invent all the controllers below.
"""

import re
from typing import Any, NamedTuple

from lxml import etree

from kvmweb.errors import Invalid
from kvmweb.virt.xml.document import number, size

VCPUS = 4096
_CPUS = 16384  # libvirt's own longest CPU mask
MEMORY = 2**52  # bytes: 4 PiB, more than any hypervisor of today follows
_DIGITS = re.compile(r"\d+")


class _Limit(NamedTuple):
    name: str
    path: str  # XPath to elements or attributes
    low: int
    high: int
    unit: str = ""  # the unit where the document names none; "" for plain numbers


_LIMITS = (
    _Limit("vcpus", "vcpu | vcpu/@current | vcpus/vcpu/@order", 1, VCPUS),
    _Limit("vcpus", "vcpus/vcpu/@id | cputune/vcpupin/@vcpu", 0, VCPUS - 1),
    _Limit("topology", "cpu/topology/@*[name() != 'placement']", 1, VCPUS),
    _Limit("numa", "cpu/numa/cell/@id", 0, 1023),
    _Limit("iothreads", "iothreads", 0, 1024),
    _Limit("memory", "memory | currentMemory | maxMemory", 0, MEMORY, "KiB"),
    _Limit("memory", "cpu/numa/cell/@memory", 0, MEMORY, "KiB"),
    _Limit("memory slots", "maxMemory/@slots", 0, 1024),
    _Limit("controller", "devices/controller/@index", -1, 1024),
    _Limit("controller", "devices//address/@controller", 0, 1024),
    _Limit("controller", "devices/controller/@ports", -1, 1024),
    _Limit("controller", "devices/controller/@vectors", -1, 65536),
    _Limit("queues", "devices//driver/@queues", 0, VCPUS),
    _Limit("heads", "devices/video/model/@heads", 0, 1024),
)
_CPU_SETS = "vcpu/@cpuset | cputune/*/@cpuset | cputune/*/@vcpus | cpu/numa/cell/@cpus"


def check(domain: etree._Element) -> None:
    """Refuse numbers that a host would die of. Raises Invalid naming each."""
    errors: dict[str, list[str]] = {}
    for limit in _LIMITS:
        for said, value in _numbers(domain, limit):
            if value is None or not limit.low <= value <= limit.high:
                errors.setdefault(limit.name, []).append(
                    f"{limit.name} says {said[:40]!r}; "
                    f"it must be a number from {limit.low} to {limit.high}."
                )
    for cpus in _found(domain, _CPU_SETS):
        if any(len(each) > 9 or int(each) >= _CPUS for each in _DIGITS.findall(cpus)):
            errors.setdefault("cpuset", []).append(
                f"The CPU set {cpus[:40]!r} names a CPU that cannot exist."
            )
    if errors:
        first = next(iter(errors.values()))[0]
        raise Invalid(f"A number is out of range: {first}", errors=errors)


def _found(domain: etree._Element, path: str) -> list[Any]:
    # The stubs' union for XPath answers fits no caller.
    found: Any = domain.xpath(path)
    return list(found)


def _numbers(domain: etree._Element, limit: _Limit) -> list[tuple[str, int | None]]:
    """What the document says at the limit's places, and the number that it means."""
    numbers = []
    for place in _found(domain, limit.path):
        attribute = isinstance(place, str)
        holder = place.getparent() if attribute else place
        said = str(place) if attribute else (place.text or "")
        unit = holder.get("unit") or limit.unit
        value = size(said, unit) if limit.unit else number(said)
        if said.strip() or attribute:  # an empty element means libvirt's default
            numbers.append((said, value))
    return numbers
