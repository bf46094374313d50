"""Documents by declared classes: read, set one thing, keep all the rest."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from kvmweb.errors import Invalid
from kvmweb.virt.xml import domain
from kvmweb.virt.xml.devices import (
    Channel,
    Console,
    Disk,
    Graphics,
    Nic,
    Rng,
    Serial,
    Video,
)
from kvmweb.virt.xml.document import Int, Many, Node, Size, Text, parse
from kvmweb.virt.xml.domain import OS, Domain, Ours, Tag, check_ranges
from tests.virt import odd_domains

DOCUMENTS = Path(__file__).parent / "documents"


def canonical(document: str) -> bytes:
    """The document without the accidents of its writing."""
    return etree.tostring(parse(document), method="c14n2", with_comments=True)


@pytest.mark.parametrize("name", odd_domains.accepted)
def test_reading_and_writing_changes_nothing(name: str) -> None:
    document = odd_domains.accepted[name]
    assert canonical(str(Domain.parse(document))) == canonical(document)


@pytest.mark.parametrize("name", odd_domains.accepted)
def test_setting_one_field_changes_nothing_else(name: str) -> None:
    doc = Domain.parse(odd_domains.accepted[name])
    before = canonical(str(doc))
    old = doc.memory
    doc.memory = 77 * 1024
    assert doc.memory == 77 * 1024
    doc.title = "tried"
    others = Domain.parse(before.decode())
    for each in (doc, others):
        for tag in ("memory", "title"):
            found = each.element.find(tag)
            if found is not None:
                each.element.remove(found)
    assert old
    assert canonical(str(doc)) == canonical(str(others))


def test_an_edit_keeps_what_nobody_declared() -> None:
    doc = Domain.parse((DOCUMENTS / "edited-before.xml").read_text())
    doc.disks[0].file = "/new.qcow2"
    doc.disks.remove(doc.disks[1])
    doc.nics.add(Nic.make(type="network", network="lan", model="virtio"))
    doc.vcpus = 4
    doc.vcpus_current = None
    doc.ours = Ours.make(owner="ada", tags=[Tag.make(name="web"), Tag.make(name="<b>")])
    assert f"{doc}\n" == (DOCUMENTS / "edited-after.xml").read_text()


def test_a_small_guest_is_built_from_classes() -> None:
    doc = Domain.make(
        type="qemu",
        name="demo",
        memory=96 * 1024**2,
        vcpus=1,
        os=OS.make(
            type="hvm", arch="x86_64", kernel="/k", initrd="/i", cmdline="console=ttyS0"
        ),
        acpi=True,
        emulator="/usr/bin/qemu-system-x86_64",
        balloon="virtio",
        balloon_period_s=2,
        disks=[
            Disk.make(
                type="file",
                device="disk",
                driver="qemu",
                format="qcow2",
                file="/d.qcow2",
                target="vda",
                bus="virtio",
            )
        ],
        nics=[Nic.make(type="network", network="default", model="virtio")],
        graphics=[Graphics.make(type="vnc", port=-1, autoport=True)],
        serials=[Serial.make(type="pty", port=0)],
        consoles=[Console.make(type="pty", target_type="serial", port=0)],
        channels=[Channel.make(type="unix", target_type="virtio", name=domain.AGENT)],
        videos=[Video.make(model="vga")],
        rngs=[Rng.make(model="virtio", backend_model="random", backend="/dev/urandom")],
    )
    assert f"{doc}\n" == (DOCUMENTS / "small-guest.xml").read_text()


def test_a_field_that_nobody_declared_cannot_be_made() -> None:
    with pytest.raises(TypeError):
        Disk.make(filename="/a")


@pytest.mark.parametrize("name", odd_domains.broken)
def test_broken_documents_are_refused_in_words(name: str) -> None:
    with pytest.raises(Invalid) as refused:
        Domain.parse(odd_domains.broken[name])
    assert refused.value.detail.endswith(".")
    assert "root:" not in str(refused.value)


def test_characters_that_xml_cannot_hold_are_refused() -> None:
    with pytest.raises(Invalid):
        Domain.make(name="a\x00b")


class _Amount(Node):
    tag = "amount"
    bytes = Size(".")
    number = Int("@n")
    note = Text("@note")


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        (None, 1024),
        ("b", 1),
        ("bytes", 1),
        ("KB", 1000),
        ("KiB", 1024),
        ("k", 1024),
        ("mib", 1024**2),
        ("MB", 10**6),
        ("G", 1024**3),
        ("TiB", 1024**4),
        ("PB", 10**15),
        ("EiB", 1024**6),
    ],
)
def test_sizes_come_out_in_bytes(unit: str | None, factor: int) -> None:
    says = f" unit='{unit}'" if unit else ""
    assert _Amount.parse(f"<amount{says}> 3 </amount>").bytes == 3 * factor


@given(st.integers(0, 2**62))
def test_sizes_come_back_as_they_were_set(amount: int) -> None:
    node = _Amount.make(bytes=amount)
    assert _Amount.parse(str(node)).bytes == amount


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"])))
def test_text_comes_back_as_it_was_set(text: str) -> None:
    noncharacters = {"\ufffe", "\uffff"}
    if not noncharacters & set(text):
        assert _Amount.parse(str(_Amount.make(note=text))).note == text


@given(st.integers())
def test_numbers_are_kept_within_64_bits(number: int) -> None:
    read = _Amount.parse(f"<amount n='{number}'/>").number
    assert read == max(-(2**63), min(2**63 - 1, number))


class _Bag(Node):
    tag = "bag"
    amounts = Many(_Amount, "inside/deeper")


@given(st.lists(st.integers(0, 9)), st.lists(st.integers(0, 9)))
def test_children_are_added_and_removed(first: list[int], second: list[int]) -> None:
    bag = _Bag.make(amounts=[_Amount.make(number=each) for each in first])
    for each in second:
        bag.amounts.add(_Amount.make(number=each))
    for each in list(bag.amounts)[: len(first)]:
        bag.amounts.remove(each)
    assert [each.number for each in _Bag.parse(str(bag)).amounts] == second


@pytest.mark.parametrize(
    "inside",
    [
        "<vcpu>-1</vcpu>",
        "<vcpu>4294967295</vcpu>",
        "<vcpu>many</vcpu>",
        "<vcpu current='0'>1</vcpu>",
        "<vcpu cpuset='0-99999999'>1</vcpu>",
        "<vcpu>1</vcpu><cputune><vcpupin vcpu='-1' cpuset='0'/></cputune>",
        "<cpu><topology sockets='-1' cores='1' threads='1'/></cpu>",
        "<iothreads>4294967295</iothreads>",
        "<memory unit='EiB'>15</memory>",
        "<memory>-1</memory>",
        "<maxMemory slots='4294967295'>1</maxMemory>",
        "<devices><controller type='scsi' index='99999999'/></devices>",
        "<devices><disk><address type='drive' controller='99999999'/></disk></devices>",
        "<devices><interface><driver queues='4294967295'/></interface></devices>",
    ],
)
def test_numbers_that_a_host_would_die_of_are_refused(inside: str) -> None:
    doc = Domain.parse(f"<domain><name>x</name>{inside}</domain>")
    with pytest.raises(Invalid) as refused:
        check_ranges(doc)
    assert refused.value.errors


@pytest.mark.parametrize("name", odd_domains.accepted)
def test_ordinary_numbers_pass(name: str) -> None:
    check_ranges(Domain.parse(odd_domains.accepted[name]))
