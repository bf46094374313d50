"""What the API of networks takes and answers."""

from typing import Any, Literal

from ninja import Schema
from pydantic import Field

from hosts.networks.wishes import Wish
from kvmweb.doors import Strict
from kvmweb.virt.netplan import DhcpRange

Mode = Literal["nat", "route", "isolated", "open", "bridge"]


class RangeIn(Strict):
    """Addresses to give out, both ends among them."""

    start: str = Field(max_length=64)
    end: str = Field(max_length=64)


class _Said(Strict):
    bridge: str = Field("", max_length=15)
    cidr: str = Field("", max_length=64)
    dhcp: RangeIn | bool | None = None
    vlan: int | None = Field(None, ge=1, le=4094)
    autostart: bool = True

    def said(self) -> dict[str, Any]:
        """Fields of a Wish, and autostart; only those that were said."""
        told = {name: getattr(self, name) for name in self.model_fields_set}
        if isinstance(told.get("dhcp"), RangeIn):
            told["dhcp"] = DhcpRange(told["dhcp"].start, told["dhcp"].end)
        return told


class NetworkIn(_Said):
    """A new network."""

    name: str = Field(max_length=63)
    mode: Mode

    def wish(self) -> Wish:
        """What this says, whole."""
        told = self.said()
        told.pop("autostart", None)
        return Wish(**told)


class NetworkPatch(_Said):
    """What changes; what is not said stays."""

    mode: Mode = "nat"


class StopIn(Strict):
    """Whether running guests may lose it."""

    force: bool = False


class LeaseIn(Strict):
    """A network card that always gets the same address."""

    mac: str = Field(max_length=17)
    address: str = Field(max_length=64)
    name: str = Field("", max_length=63)


class HostDeviceOut(Schema):
    """A USB or PCI device of a host."""

    id: int
    host: int
    name: str
    kind: Literal["usb", "pci"]
    vendor: str
    product: str
    vendor_id: str
    product_id: str
    address: dict[str, int]
    driver: str
    iommu_group: int | None


class FilterOut(Schema):
    """A packet filter of a host."""

    id: int
    host: int
    name: str


class InterfaceOut(Schema):
    """A network interface of a host itself."""

    name: str
    kind: str


class CapabilitiesOut(Schema):
    """What a host can give to guests and pools; empty until it was asked."""

    virt_type: str = ""
    pool_types: list[str] = []
    machines: list[str] = []
    cpu_models: list[str] = []
    cpu_modes: list[str] = []
    host_cpu: str = ""
    firmware: list[str] = []
    tpm: bool = False
    virtiofs: bool = False
    max_vcpus: int = 0
    hugepages: list[int] = []
    disk_buses: list[str] = []
    screens: list[str] = []
    videos: list[str] = []
    interfaces: list[InterfaceOut] = []
