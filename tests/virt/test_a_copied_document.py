"""A clone's document: all that must be its own is, and nothing else is changed."""

from uuid import UUID

import pytest
from lxml import etree

from kvmweb.virt.xml.copied import NewDisk, Seat, copied, mac_of, raw_options, seated
from kvmweb.virt.xml.domain import Domain

QEMU = "http://libvirt.org/schemas/domain/qemu/1.0"
UUID_OF_CLONE = UUID("0b5a7c7e-4b6c-4c8e-9a53-0c6d6f1d2a11")
ORIGINAL = """<domain type='kvm' id='7'>
  <name>web</name>
  <uuid>11111111-1111-4111-8111-111111111111</uuid>
  <genid>9aa1d0a2-3a5b-4f5c-8a33-111111111111</genid>
  <title>Shop</title>
  <description>Front</description>
  <metadata><kvmweb:guest xmlns:kvmweb='urn:kvmweb:1' owner='ann'/>
    <x:kept xmlns:x='urn:x'>yes</x:kept></metadata>
  <memory unit='KiB'>1048576</memory>
  <vcpu cpuset='1-3'>2</vcpu>
  <sysinfo type='smbios'><system><entry name='uuid'>11111111-1111-4111-8111-111111111111</entry>
    <entry name='product'>Odd</entry></system></sysinfo>
  <os><type>hvm</type><loader type='pflash'>/fw</loader>
    <nvram template='/vars'>/var/lib/libvirt/qemu/nvram/web_VARS.fd</nvram></os>
  <devices>
    <disk type='volume' device='disk'><driver name='qemu' type='raw' cache='none'/>
      <source pool='p' volume='web.img'/><target dev='vda' bus='virtio'/>
      <serial>S1</serial><wwn>5000c50015ea71aa</wwn></disk>
    <disk type='file' device='cdrom'><driver name='qemu' type='raw'/>
      <source file='/i/web-seed.iso'/><target dev='sda' bus='sata'/><readonly/></disk>
    <disk type='file' device='cdrom'><driver name='qemu' type='raw'/>
      <source file='/i/debian.iso'/><target dev='sdb' bus='sata'/><readonly/></disk>
    <interface type='network'><mac address='52:54:00:00:00:01'/><source network='default'/>
      <target dev='tapweb'/><model type='virtio'/>
      <filterref filter='clean-traffic'><parameter name='IP' value='10.0.0.5'/></filterref>
    </interface>
    <interface type='bridge'><mac address='52:54:00:00:00:02'/><source bridge='br0'/></interface>
    <serial type='tcp'><source mode='bind' host='0.0.0.0' service='4555'/><target port='0'/>
      <log file='/var/log/web'/></serial>
    <console type='pty'/>
    <channel type='unix'><source mode='bind' path='/run/web.agent'/>
      <target type='virtio' name='org.qemu.guest_agent.0'/></channel>
    <graphics type='vnc' port='5907' autoport='no' passwd='secret' listen='0.0.0.0'>
      <listen type='address' address='0.0.0.0'/></graphics>
    <hostdev mode='subsystem' type='pci'><source><address bus='0x06'/></source></hostdev>
    <filesystem type='mount'><source dir='/srv'/><target dir='srv'/></filesystem>
    <tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>
    <vsock model='virtio'><cid auto='no' address='4'/></vsock>
    <odd thing='stays'/>
  </devices>
</domain>
"""


def clone(xml: str = ORIGINAL) -> tuple[Domain, str, tuple[str, ...]]:
    """The document of a clone, its text, and what is said beside it."""
    made = copied(
        xml,
        name="web-2",
        uuid=UUID_OF_CLONE,
        disks={"vda": NewDisk("/i/web-2.vda.qcow2", "qcow2")},
        title="Clone of web",
    )
    return Domain.parse(made.xml), made.xml, made.notes


def test_name_uuid_and_words_are_its_own() -> None:
    document, text, _ = clone()
    assert (document.name, document.uuid) == ("web-2", str(UUID_OF_CLONE))
    assert (document.title, document.description) == ("Clone of web", "Front")
    assert document.id is None
    assert (
        "11111111" not in text
    )  # neither as UUID, nor for SMBIOS, nor as a generation
    assert "<genid/>" in text or "<genid></genid>" in text
    assert "owner=" not in text
    assert ">yes</x:kept>" in text.replace(' xmlns:x="urn:x"', "")
    assert ">Odd</entry>" in text


def test_its_disk_is_another_file_on_the_same_bus() -> None:
    document, text, _ = clone()
    vda, _, iso = document.disks
    assert (vda.type, vda.file, vda.format) == ("file", "/i/web-2.vda.qcow2", "qcow2")
    assert (vda.pool, vda.volume, vda.wwn, vda.serial) == ("", "", "", "S1")
    assert (vda.cache, vda.bus) == ("none", "virtio")
    assert iso.file == "/i/debian.iso"
    assert "web.img" not in text


def test_its_cards_have_addresses_of_their_own() -> None:
    document, text, _ = clone()
    macs = [nic.mac for nic in document.nics]
    assert macs == [mac_of(UUID_OF_CLONE, 0), mac_of(UUID_OF_CLONE, 1)]
    assert len(set(macs)) == 2
    assert all(mac.startswith("52:54:00:") for mac in macs)
    assert "tapweb" not in text
    assert "10.0.0.5" not in text
    assert document.nics[0].filterref is not None


def test_ports_sockets_and_firmware_settings_are_its_own() -> None:
    document, text, notes = clone()
    (screen,) = document.graphics
    assert (screen.port, screen.autoport) == (-1, True)
    assert [each.type for each in document.serials] == ["pty"]
    for word in ("4555", "/run/web.agent", "/var/log/web", "web_VARS", "5907"):
        assert word not in text
    assert 'template="/vars"' in text
    assert 'address="4"' not in text
    assert 'auto="yes"' in text
    assert any("UEFI" in note for note in notes)
    assert any("TPM" in note for note in notes)


def test_what_two_cannot_both_have_stays_with_the_original_and_is_said() -> None:
    document, text, notes = clone()
    assert not document.hostdevs
    assert not document.filesystems
    assert "/srv" not in text
    assert any("Devices of the host" in note for note in notes)
    assert any("Directories of the host" in note for note in notes)


def test_what_nobody_declared_stays() -> None:
    _, text, _ = clone()
    assert '<odd thing="stays"/>' in text
    assert 'cpuset="1-3"' in text


def test_it_gets_its_own_seed_and_a_screen_that_is_shut() -> None:
    _, text, _ = clone()
    seat = Seat("/i/web-2-seed.iso", lambda _buses: "scsi")
    made = Domain.parse(
        seated(text, seat, without=("/i/web-seed.iso",), password="new")
    )
    files = [disk.file for disk in made.disks]
    assert files == ["/i/web-2.vda.qcow2", "/i/debian.iso", "/i/web-2-seed.iso"]
    assert made.disks[2].target == "sda"
    assert ("scsi", "virtio-scsi") in {(it.type, it.model) for it in made.controllers}
    assert "secret" not in str(made)
    assert "1970-01-01" in str(made)


def test_on_another_host_its_drives_are_empty() -> None:
    _, text, _ = clone()
    made = Domain.parse(seated(text, None, eject=True))
    assert [disk.file for disk in made.disks] == ["/i/web-2.vda.qcow2", "", ""]
    assert len(made.disks) == 3


def test_a_plain_guest_differs_in_no_more_than_it_must() -> None:
    plain = (
        "<domain type='kvm'><name>a</name><uuid>11111111-1111-4111-8111-111111111111"
        "</uuid><memory>1</memory><devices><emulator>/q</emulator></devices></domain>"
    )
    made = etree.fromstring(clone(plain)[1])
    assert [child.tag for child in made] == [
        "name",
        "uuid",
        "memory",
        "devices",
        "title",
    ]


@pytest.mark.parametrize(
    ("xml", "raw"),
    [
        ("<domain><name>a</name></domain>", False),
        (
            f"<domain xmlns:q='{QEMU}'><q:commandline/></domain>",
            True,
        ),
    ],
)
def test_words_for_qemu_itself_are_noticed(xml: str, raw: bool) -> None:
    assert raw_options(xml) == raw
