"""Documents of other tools after one edit of ours, compared whole; and what it is called."""

from collections.abc import Callable
from pathlib import Path

import pytest

from guests.creation import devices
from guests.creation.parts import Disk as DiskPart
from guests.creation.parts import Nic as NicPart
from guests.creation.wanted import Limits
from guests.hardware import differences, disk_work, documents, keeping, nic_work
from guests.hardware.device_wishes import DiskChange
from guests.hardware.documents import changes_between
from guests.hardware.parts import need_disk, need_nic
from guests.hardware.wishes import Hardware
from kvmweb.errors import Conflict, Invalid, NotFound
from kvmweb.virt.xml import beyond
from kvmweb.virt.xml.domain import Domain
from tests.virt import odd_domains

DOCUMENTS = Path(__file__).parent / "documents"
GIB = 1024**3
DEBIAN, WINDOWS = "virt-install", "virt-manager"
NIC, TAGGED = "52:54:00:8a:1b:2c", "52:54:00:11:22:33"


def text_of(name: str) -> str:
    """One of the documents, as the classes write it."""
    return str(Domain.parse((DOCUMENTS / f"{name}.xml").read_text()))


def wish(**said: object) -> Callable[[Domain], None]:
    """The edit for a wish of hardware."""
    return lambda doc: documents.apply(doc, Hardware(**said))  # type: ignore[arg-type]


def disk(target: str, **said: object) -> Callable[[Domain], None]:
    """The edit for a wish about a disk."""
    change = DiskChange(**said)  # type: ignore[arg-type]
    return lambda doc: disk_work._set(need_disk(doc, target), change)


def nic(mac: str, **said: object) -> Callable[[Domain], None]:
    """The edit for a wish about a network card."""
    return lambda doc: nic_work._set(need_nic(doc, mac), dict(said))


def _load(doc: Domain) -> None:
    disk_work._load(need_disk(doc, "sda"), "/iso/debian.iso", block=False)


def _eject(doc: Domain) -> None:
    disk_work._load(need_disk(doc, "sdb"), "", block=False)


LIMITED = (
    f"network card {TAGGED} limit of what comes in average 1000, burst 1024, peak 5000 → "
    "average 500, burst 1024, peak 5000"
)
VCPUS = (
    "<vcpus>" + (DOCUMENTS / "virt-manager.xml").read_text().partition("<vcpus>")[2]
).partition("</vcpus>")[0] + "</vcpus>\n  "
EDITS = (
    (
        DEBIAN,
        wish(vcpus=4),
        {
            "<vcpu placement='static'>2<": "<vcpu placement='static'>4<",
            "sockets='1' dies='1' cores='2'": "sockets='2' dies='1' cores='2'",
        },
        "vCPUs 2 → 4",
    ),
    (
        DEBIAN,
        wish(vcpus=1),
        {"<vcpu placement='static'>2<": "<vcpu placement='static' current='1'>2<"},
        "vCPUs 2 → 1",
    ),
    (
        DEBIAN,
        wish(vcpus=3),
        {
            "<vcpu placement='static'>2<": "<vcpu placement='static'>3<",
            "cores='2'": "cores='3'",
        },
        "vCPUs 2 → 3",
    ),
    (WINDOWS, wish(vcpus=6), {"current='4'": "current='6'", VCPUS: ""}, "vCPUs 4 → 6"),
    (
        DEBIAN,
        wish(memory_bytes=GIB),
        {"<currentMemory unit='KiB'>2097152<": "<currentMemory unit='KiB'>1048576<"},
        "memory 2 → 1 GiB",
    ),
    (
        DEBIAN,
        wish(memory_bytes=4 * GIB),
        {"'KiB'>2097152<": "'KiB'>4194304<"},
        "memory 2 → 4 GiB",
    ),
    (
        WINDOWS,
        wish(memory_max_bytes=12 * GIB),
        {
            "<memory unit='KiB'>8388608<": "<memory unit='KiB'>12582912<",
            "memory='8388608'": "memory='12582912'",
        },
        "memory at most 8 → 12 GiB",
    ),
    (
        DEBIAN,
        wish(cpu="host-model"),
        {
            "mode='host-passthrough' check='none' migratable='on'": "mode='host-model'",
        },
        "processor host-passthrough → host-model",
    ),
    (
        WINDOWS,
        wish(boot=("sda", TAGGED)),
        {
            "      <boot order='1'/>\n": "",
            "boot order='2'": "boot order='1'",
            "boot order='3'": "boot order='2'",
        },
        f"boots from sdb, sda, {TAGGED} → sda, {TAGGED}",
    ),
    (
        DEBIAN,
        wish(os="http://debian.org/debian/13"),
        {"debian/12": "debian/13"},
        "operating system http://debian.org/debian/12 → http://debian.org/debian/13",
    ),
    (
        WINDOWS,
        wish(boot_menu=False),
        {"bootmenu enable='yes'": "bootmenu enable='no'"},
        "boot menu on → off",
    ),
    (WINDOWS, disk("sda", cache="writeback"), {"cache='none'": "cache='writeback'"},
     "disk sda cache none → writeback"),
    (
        WINDOWS,
        disk("sda", limits=Limits(read_iops=9)),
        {},
        "disk sda limits none → read_iops_sec 9",
    ),
    (
        DEBIAN,
        _load,
        {},
        "CD drive sda empty → debian.iso",
    ),
    (
        WINDOWS,
        _eject,
        {"      <source file='/iso/virtio-win.iso' startupPolicy='optional'/>\n": ""},
        "CD drive sdb virtio-win.iso → empty",
    ),
    (
        WINDOWS,
        nic(TAGGED, inbound_kib_s=500),
        {"average='1000'": "average='500'"},
        LIMITED,
    ),
    (
        DEBIAN,
        nic(NIC, network="lab", bridge=""),
        {"network='default'": "network='lab'"},
        f"network card {NIC} network default → lab",
    ),
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "edit", "texts", "said"), EDITS, ids=[it[3][:40] for it in EDITS]
)
def test_an_edit_changes_nothing_else(
    name: str, edit: Callable[[Domain], None], texts: dict[str, str], said: str
) -> None:
    before = text_of(name)
    doc = Domain.parse(before)
    edit(doc)
    after = str(doc)
    assert changes_between(before, after)[0] == said
    expected = before
    for pair in texts.items():
        old, new = (each.replace("'", '"') for each in pair)
        assert old in before, old
        expected = expected.replace(old, new)
    # What is new stands where libvirt takes it; all else is as it was, letter by letter.
    fresh = [line for line in after.splitlines() if line not in expected.splitlines()]
    kept = [line for line in after.splitlines() if line not in fresh]
    assert kept == expected.splitlines()
    assert len(fresh) <= (3 if not texts else 0), fresh
    edit(doc)
    assert str(doc) == after, "The second time it changes nothing."


@pytest.mark.parametrize("name", odd_domains.accepted)
def test_no_document_is_too_odd_to_be_compared(name: str) -> None:
    document = odd_domains.accepted[name]
    assert changes_between(document, document) == []
    doc = Domain.parse(document)
    doc.description = "another"
    assert changes_between(document, str(doc)) == ["description changed"]


def test_numbers_that_are_none_break_nothing() -> None:
    odd = text_of(WINDOWS).replace('bus="0x3b"', 'bus="zz"').replace("8388608", "lots")
    assert changes_between(odd, odd) == []
    assert differences.pending(odd, text_of(DEBIAN))


def test_devices_come_and_go_in_words() -> None:
    before = text_of(DEBIAN)
    doc = Domain.parse(before)
    part = DiskPart("/pool/data.qcow2")
    documents.add_disk(doc, devices.disk(part, "vdb", order=None, iothread=None))
    documents.add_nic(
        doc, devices.nic(NicPart("lab", mac="52:54:00:00:00:09"), order=None)
    )
    doc.rngs = []
    after = str(doc)
    told = changes_between(before, after, sizes={"/pool/data.qcow2": 20 * GIB})
    assert told == [
        "disk vdb added, 20 GiB",
        "network card 52:54:00:00:00:09 added, network lab",
        "random numbers virtio removed",
    ]
    assert changes_between(after, before) == [
        "disk vdb removed",
        "network card 52:54:00:00:00:09 removed",
        "random numbers virtio added",
    ]
    assert changes_between("<odd", after) == ["one of the two documents cannot be read"]


def test_what_has_no_name_is_not_hidden() -> None:
    before = text_of(WINDOWS)
    after = before.replace('vcpu="0" cpuset="0"', 'vcpu="0" cpuset="1"')
    assert changes_between(before, after) == ["details of its document"]


@pytest.mark.parametrize("name", [DEBIAN, WINDOWS])
def test_everything_that_waits_can_be_taken_back(name: str) -> None:
    live = text_of(name)
    doc = Domain.parse(live)
    documents.apply(doc, Hardware(vcpus=2, memory_bytes=GIB, boot=(), cpu="maximum"))
    for each in list(doc.disks):
        doc.disks.remove(each)
    part = DiskPart("/pool/new.qcow2")
    documents.add_disk(doc, devices.disk(part, "vdz", order=None, iothread=None))
    doc.nics[0].link = "down"
    doc.tpms = []
    doc.on_crash = "preserve"
    doc.title = "Other"
    waiting = differences.pending(live, str(doc))
    assert len(waiting) >= 6
    taken_back = differences.revoke(live, doc)
    assert set(waiting) <= set(taken_back)
    assert differences.pending(live, str(doc)) == []
    assert [disk.target for disk in doc.disks] == [
        disk.target for disk in Domain.parse(live).disks
    ]


def test_what_a_running_document_says_otherwise_is_no_change() -> None:
    config = text_of(DEBIAN)
    live = (
        config.replace('<domain type="kvm"', '<domain type="kvm" id="7"')
        .replace('<target dev="vda"', '<backingStore/><target dev="vda"')
        .replace(
            '<model type="virtio"/>', '<target dev="vnet4"/><model type="virtio"/>'
        )
        .replace('port="-1"', 'port="5903"')
        .replace('mode="host-passthrough"', 'mode="host-passthrough" check="full"', 0)
    )
    assert differences.pending(live, config) == []
    expanded = config.replace('mode="host-passthrough"', 'mode="host-model"')
    told = live.replace('mode="host-passthrough"', 'mode="custom"')
    assert differences.pending(told, expanded) == []


def test_a_name_that_is_taken_is_not_taken_twice() -> None:
    docs = [Domain.parse(text_of(DEBIAN)), Domain.parse(text_of(WINDOWS))]
    assert documents.free_target(docs, "virtio") == "vdb"
    assert documents.free_target(docs, "scsi") == "sdc"
    other = devices.disk(DiskPart("/other"), "vda", order=None, iothread=None)
    with pytest.raises(Conflict):
        documents.add_disk(docs[0], other)
    with pytest.raises(NotFound):
        need_disk(docs[0], "vdx")
    assert documents.free_mac(["x"]).startswith("52:54:00:")


def test_what_does_not_fit_together_is_refused_in_words() -> None:
    doc = Domain.parse(text_of(DEBIAN))
    with pytest.raises(Invalid, match="3 × 1 × 1"):
        documents.apply(doc, Hardware(topology=(3, 1, 1)))
    with pytest.raises(Invalid, match="vdz"):
        documents.apply(doc, Hardware(boot=("vdz",)))
    with pytest.raises(Invalid, match="NUMA"):
        documents.apply(Domain.parse(text_of(WINDOWS)), Hardware(vcpus_max=16))


def test_firmware_is_another_one() -> None:
    doc = Domain.parse(text_of(WINDOWS))
    documents.apply(doc, Hardware(firmware="bios"))
    assert doc.os
    assert (doc.os.firmware, doc.os.loader, doc.os.nvram) == ("", "", "")
    documents.apply(doc, Hardware(firmware="uefi-secure"))
    assert doc.os.firmware == "efi"
    assert {each.name: each.enabled for each in doc.os.features} == {
        "enrolled-keys": True,
        "secure-boot": True,
    }
    assert doc.smm


def test_a_device_keeps_its_seat_where_that_is_free() -> None:
    doc = Domain.parse(text_of(DEBIAN))
    new = devices.nic(NicPart("lab", mac="52:54:00:00:00:09"), order=None)
    taken = documents.seated(new, doc.disks[0], doc)
    assert "address type" not in str(taken)
    free = Domain.parse(text_of(DEBIAN))
    free.disks.remove(free.disks[0])
    # Its bus has no controller in this document, so it cannot sit there.
    assert "address type" not in str(documents.seated(new, doc.disks[0], free))
    port = 'index="1" model="pcie-root-port"'
    roomy = Domain.parse(str(free).replace(port, port.replace('"1"', '"4"')))
    assert 'bus="0x04"' in str(documents.seated(new, doc.disks[0], roomy))


def test_passwords_that_nobody_reads_are_kept() -> None:
    before = text_of(DEBIAN).replace('type="vnc"', 'type="vnc" passwd="s3cret"')
    seen = text_of(DEBIAN).replace(">2<", ">4<")
    assert 'passwd="s3cret"' in keeping.instead(seen, before)
    chosen = seen.replace('type="vnc"', 'type="vnc" passwd="mine"')
    assert keeping.instead(chosen, before) == chosen
    renamed = before.replace("<name>debian12", "<name>other")
    assert "<name>other" in keeping.again(text_of(DEBIAN), renamed)


def test_what_is_beyond_ordinary_fields_is_named() -> None:
    images = ("/var/lib/libvirt/images",)
    assert beyond.named((DOCUMENTS / "virt-install.xml").read_text(), images) == set()
    told = beyond.named((DOCUMENTS / "virt-manager.xml").read_text(), images)
    for word in ("/dev/vg0/win11", "/iso/virtio-win.iso", "0x3b", "ivshmem-plain"):
        assert any(word in each for each in told), (word, told)
    assert len(told) == 4
    for odd in (
        "<disk type='file'><source file='/var/lib/libvirt/images/../../../etc/x'/></disk>",
        "<serial type='tcp'><source mode='bind' host='0.0.0.0' service='1'/></serial>",
        "<interface type='ethernet'><script path='/tmp/x'/></interface>",
        "<interface type='direct'><source dev='eth0'/></interface>",
        "<rng model='virtio'><backend model='random'>/etc/shadow</backend></rng>",
        "<tpm model='tpm-tis'><backend type='passthrough'/></tpm>",
        "<shmem name='x'/>",
        "<emulator>/usr/bin/python3</emulator>",
        "<graphics type='vnc' socket='/srv/x'/>",
        "<disk type='network'><source protocol='http' name='x'/></disk>",
    ):
        xml = f"<domain type='kvm'><devices>{odd}</devices></domain>"
        assert beyond.named(xml, images), odd
    entry = "<sysinfo type='fwcfg'><entry name='opt/x' file='/etc/shadow'/></sysinfo>"
    assert beyond.named(f"<domain type='kvm'>{entry}</domain>")
