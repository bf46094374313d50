"""A blueprint becomes a document: whole, checked, and one that libvirt takes."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import libvirt
import pytest
from lxml import etree

from guests.creation.blueprint import Blueprint, document
from guests.creation.parts import Disk, Given, Nic, Screen
from guests.creation.wanted import Cpu, Limits, Share
from kvmweb.errors import Invalid
from kvmweb.virt.xml.domain import Domain

SCHEMA = "/usr/share/libvirt/schemas/domain.rng"
UUID_ = UUID("0b5a7c7e-4b6c-4c8e-9a53-0c6d6f1d2a11")
GIB = 1024**3


def blueprint(**about: Any) -> Blueprint:
    """A small guest on KVM with a disk and a card."""
    plain = Blueprint(
        uuid=UUID_,
        name="web",
        virt_type="kvm",
        vcpus=2,
        memory_bytes=2 * GIB,
        disks=(Disk("/pool/web.qcow2"),),
        nics=(Nic("default"),),
    )
    return replace(plain, **about)


EVERYTHING = blueprint(
    title="Web",
    description="Two\nlines & <signs>",
    owner="uwe",
    tags=("db", "web"),
    os="http://microsoft.com/win/11",
    windows=True,
    firmware="uefi-secure",
    cpu=Cpu("named", "EPYC", 1, 2, 2),
    vcpus_max=4,
    memory_max_bytes=4 * GIB,
    hugepages=True,
    iothreads=2,
    disks=(
        Disk("/pool/a.qcow2", cache="none", io="native", limits=Limits(total_iops=500)),
        Disk("/dev/vg/b", format="raw", block=True, discard=False),
        Disk("/pool/c.raw", format="raw", bus="scsi"),
        Disk("/pool/w.iso", format="raw", device="cdrom", bus="sata"),
        Disk("", format="raw", device="cdrom", bus="sata"),
    ),
    nics=(
        Nic("lan", mac="52:54:00:00:00:01", filter="clean-traffic", inbound_kib_s=10),
        Nic(bridge="br0", model="e1000e", outbound_kib_s=20),
    ),
    tpm=True,
    watchdog="reset",
    screen=Screen(listen="0.0.0.0", guarded=True),
    boot=("cdrom", "disk"),
    given=(
        Given("usb", "0x1234", "0xabcd"),
        Given("pci", domain=0, bus=6, slot=18, function=5),
    ),
    shares=(Share("/srv/data", "data"),),
)


def test_a_small_guest_has_what_every_guest_has() -> None:
    doc = document(blueprint())
    assert (doc.type, doc.name, doc.uuid) == ("kvm", "web", str(UUID_))
    assert (doc.memory, doc.current_memory, doc.vcpus) == (2 * GIB, 2 * GIB, 2)
    assert doc.os
    assert (doc.os.machine, doc.os.firmware) == ("q35", "")
    assert doc.cpu_mode == "host-model"
    assert (doc.disks[0].file, doc.disks[0].target) == ("/pool/web.qcow2", "vda")
    assert doc.disks[0].discard == "unmap"
    assert doc.nics[0].network == "default"
    assert doc.channels[0].name == "org.qemu.guest_agent.0"
    assert doc.serials[0].type == "pty"
    assert doc.graphics[0].listen == "127.0.0.1"
    assert doc.inputs[0].type == "tablet"
    assert (doc.clock, doc.balloon, len(doc.rngs)) == ("utc", "virtio", 1)


def test_everything_that_can_be_said_stands_in_it() -> None:
    doc = document(EVERYTHING, password="geheim12")
    assert doc.os
    assert (doc.os.firmware, doc.os.loader_secure, doc.smm) == ("efi", True, True)
    assert {it.name: it.enabled for it in doc.os.features} == {
        "secure-boot": True,
        "enrolled-keys": True,
    }
    assert doc.osinfo == "http://microsoft.com/win/11"
    assert doc.ours
    assert (doc.ours.owner, [tag.name for tag in doc.ours.tags]) == (
        "uwe",
        ["db", "web"],
    )
    assert (doc.vcpus, doc.vcpus_current) == (4, 2)
    assert (doc.memory, doc.current_memory) == (4 * GIB, 2 * GIB)
    assert (doc.cpu_mode, doc.cpu_model) == ("custom", "EPYC")
    assert (doc.cpu_sockets, doc.cpu_cores, doc.cpu_threads) == (1, 2, 2)
    assert doc.hyperv_relaxed
    assert doc.clock == "localtime"
    assert (doc.tpms[0].version, doc.watchdogs[0].action) == ("2.0", "reset")
    assert (doc.memory_source, doc.memory_access) == ("memfd", "shared")


def test_every_device_that_can_be_said_stands_in_it() -> None:
    doc = document(EVERYTHING, password="geheim12")
    assert [disk.target for disk in doc.disks] == ["vda", "vdb", "sda", "sdb", "sdc"]
    assert [disk.boot_order for disk in doc.disks] == [3, 4, 5, 1, 2]
    assert [disk.iothread for disk in doc.disks] == [1, 2, None, None, None]
    first = doc.disks[0]
    assert first.iotune
    assert (first.cache, first.io, first.iotune.total_iops) == ("none", "native", 500)
    assert (doc.disks[1].type, doc.disks[1].dev) == ("block", "/dev/vg/b")
    assert doc.disks[4].file == ""
    assert doc.disks[4].readonly
    assert doc.nics[0].filterref
    assert doc.nics[0].filterref.filter == "clean-traffic"
    assert doc.nics[0].inbound
    assert (doc.nics[0].inbound.average, doc.nics[1].bridge) == (10, "br0")
    assert doc.hostdevs[0].vendor == "0x1234"
    assert doc.hostdevs[1].address
    assert doc.hostdevs[1].address.slot == "0x12"
    assert doc.filesystems[0].target == "data"
    assert 'passwd="geheim12"' in str(doc)
    assert 'passwdValidTo="1970-01-01T00:00:01"' in str(doc)


@pytest.mark.parametrize(
    "plan",
    [
        blueprint(),
        EVERYTHING,
        blueprint(firmware="uefi"),
        blueprint(virt_type="qemu", machine="pc", screen=Screen("none")),
        blueprint(boot=(), disks=(), nics=()),
        blueprint(cpu=Cpu("host-passthrough"), balloon=False, rng=False),
    ],
)
def test_it_fits_libvirts_own_schema(plan: Blueprint) -> None:
    schema = etree.RelaxNG(file=SCHEMA)
    schema.assertValid(etree.fromstring(str(document(plan, password="geheim12"))))


def test_libvirts_test_driver_takes_it() -> None:
    conn = libvirt.open("test:///default")
    plan = blueprint(virt_type="test", arch="i686")
    made = conn.defineXML(str(document(plan)))
    told = Domain.parse(made.XMLDesc(0))
    conn.close()
    assert (told.name, told.vcpus, told.memory) == ("web", 2, 2 * GIB)
    assert told.disks[0].file == "/pool/web.qcow2"


def test_without_kvm_the_processor_is_the_hypervisors_own() -> None:
    assert document(blueprint(virt_type="qemu")).cpu_mode == ""
    assert (
        document(blueprint(virt_type="qemu", cpu=Cpu("maximum"))).cpu_mode == "maximum"
    )


def test_windows_without_kvm_gets_no_hyper_v() -> None:
    doc = document(blueprint(virt_type="qemu", windows=True))
    assert not doc.hyperv_relaxed
    assert doc.clock == "localtime"


@pytest.mark.parametrize("vcpus", [-1, 0, 2**31])
def test_no_number_that_kills_a_host_leaves_it(vcpus: int) -> None:
    with pytest.raises(Invalid):
        document(blueprint(vcpus=vcpus))
