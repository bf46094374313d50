"""Hosts, and what they say of their guests, as the watcher would hand it on."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from guests.models import Guest, Happening
from hosts.models import Host
from kvmweb.virt.types import DiskFacts, DomainFacts, DomainState, NicFacts

XML = """<domain type='test'>
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  <description>{note}</description>
  <memory unit='KiB'>1048576</memory>
  <vcpu>2</vcpu>
  <os><type arch='x86_64'>hvm</type></os>
  <devices>{disks}</devices>
</domain>
"""


def disk(path: str, target: str = "vda", **about: Any) -> DiskFacts:
    """A disk in a file."""
    plain = DiskFacts(
        target=target,
        device="disk",
        bus="virtio",
        kind="file",
        path=path,
        pool="",
        volume="",
        format="qcow2",
        readonly=False,
        shareable=False,
    )
    return replace(plain, **about)


def nic(mac: str = "52:54:00:00:00:01", **about: Any) -> NicFacts:
    """A network card."""
    plain = NicFacts(
        mac=mac,
        kind="network",
        network="default",
        model="virtio",
        target="",
        link_up=True,
    )
    return replace(plain, **about)


def domain(
    name: str = "web",
    state: DomainState = DomainState.SHUTOFF,
    uuid: UUID | None = None,
    *,
    note: str = "",
    **about: Any,
) -> DomainFacts:
    """What a host says of a domain; documents are made to fit."""
    uuid = uuid or uuid4()
    disks: tuple[DiskFacts, ...] = about.get("disks", ())
    xml = XML.format(
        name=name,
        uuid=uuid,
        note=note,
        disks="".join(
            f"<disk type='file' device='{it.device}'><source file='{it.path}'/>"
            f"<target dev='{it.target}' bus='{it.bus}'/></disk>"
            for it in disks
        ),
    )
    plain = DomainFacts(
        uuid=uuid,
        name=name,
        state=state,
        reason="",
        persistent=True,
        autostart=False,
        managed_save=False,
        vcpus=2,
        vcpus_max=2,
        memory_bytes=1024**3,
        memory_max_bytes=1024**3,
        virt_type="test",
        os="hvm",
        firmware="bios",
        machine="",
        arch="x86_64",
        title="",
        description=note,
        disks=(),
        nics=(),
        graphics=(),
        serial=False,
        agent=None,
        snapshots=0,
        xml=xml,
        inactive_xml=xml,
        started_at=None,
    )
    return replace(plain, **about)


@pytest.fixture
def host_of(db: None) -> Callable[[str], Host]:
    """Makes hosts that are up: `host_of("kvm1")`."""

    def make(name: str, **columns: Any) -> Host:
        columns = {"transport": "test", "state": Host.State.UP} | columns
        return Host.objects.create(name=name, **columns)

    return make


@pytest.fixture
def kvm1(host_of: Callable[[str], Host]) -> Host:
    """A host that is up."""
    return host_of("kvm1")


@pytest.fixture
def kvm2(host_of: Callable[[str], Host]) -> Host:
    """Another one."""
    return host_of("kvm2")


def what(guest: Guest) -> list[str]:
    """What befell it, in order."""
    return [each.what for each in Happening.objects.filter(guest=guest).order_by("pk")]


def only() -> Guest:
    """The one guest there is."""
    return Guest.objects.get()
