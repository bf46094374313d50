"""A pool is checked before a host hears of it, and said in libvirt's words."""

from typing import Any
from uuid import UUID

import pytest

from hosts.storage.schemas import source_of
from kvmweb.errors import Invalid
from kvmweb.virt.poolwish import KINDS, PoolSource, PoolWish, check, document

ID = UUID("11111111-0000-4000-8000-000000000001")
SECRET = UUID("22222222-0000-4000-8000-000000000001")


def wish(kind: str = "dir", target: str = "/srv/guests", **source: Any) -> PoolWish:
    return PoolWish("mine", kind, target, PoolSource(**source))


@pytest.mark.parametrize(
    ("said", "parts"),
    [
        (wish(), ["<path>/srv/guests</path>"]),
        (wish("fs", devices=("/dev/sdb1",)), ['<device path="/dev/sdb1"/>']),
        (
            wish("netfs", hosts=("nas",), directory="/export", format="nfs"),
            ['<host name="nas"/>', '<dir path="/export"/>', '<format type="nfs"/>'],
        ),
        (
            wish("logical", "", name="vg0"),
            ["<name>vg0</name>", "<path>/dev/vg0</path>"],
        ),
        (wish("disk", "", devices=("/dev/sdc",), format="gpt"), ["<path>/dev</path>"]),
        (
            wish("iscsi", "", hosts=("san:3261",), devices=("iqn.2024-01.org:a",)),
            ['<host name="san" port="3261"/>', "/dev/disk/by-path"],
        ),
        (
            wish(
                "rbd",
                "",
                name="vms",
                hosts=("m1", "[fd00::1]:6789"),
                username="kvm",
                secret_uuid=SECRET,
            ),
            [
                '<host name="fd00::1" port="6789"/>',
                '<auth type="ceph" username="kvm">',
                f'<secret uuid="{SECRET}"/>',
            ],
        ),
        (
            wish("gluster", "", name="vol", hosts=("g1",), directory="/sub"),
            ['<dir path="/sub"/>'],
        ),
        (wish("zfs", "", name="tank/guests"), ["<name>tank/guests</name>"]),
    ],
)
def test_each_type_has_its_document(said: PoolWish, parts: list[str]) -> None:
    text = str(document(said, ID))
    assert text.startswith(f'<pool type="{said.type}"')
    assert f"<uuid>{ID}</uuid>" in text
    for part in parts:
        assert part in text


@pytest.mark.parametrize(
    ("said", "field"),
    [
        (PoolWish("-x", "dir", "/srv/a"), "name"),
        (PoolWish("a/b", "dir", "/srv/a"), "name"),
        (PoolWish("a", "sheep", "/srv/a"), "type"),
        (wish(target=""), "target"),
        (wish(target="srv"), "target"),
        (wish(target="/srv/../etc"), "target"),
        (wish(target="/"), "target"),
        (wish(target="/etc"), "target"),
        (wish(target="/etc/libvirt"), "target"),
        (wish(target="/boot/x"), "target"),
        (wish(target="/proc"), "target"),
        (wish(target="/var/lib"), "target"),
        (wish(target="/var/lib/libvirt/qemu/save"), "target"),
        (wish(target="/srv/a\nb"), "target"),
        (wish("logical", "/srv/x", name="vg0"), "target"),
        (wish("netfs", hosts=("nas",)), "source"),
        (wish("netfs", hosts=("a b",), directory="/x"), "source"),
        (wish("netfs", hosts=("nas:99999",), directory="/x"), "source"),
        (wish("netfs", hosts=("nas",), directory="/x", format="exfat"), "source"),
        (wish("fs"), "source"),
        (wish("fs", devices=("/dev/a'b",)), "source"),
        (wish("logical", ""), "source"),
        (wish("logical", "", name="-vg"), "source"),
        (wish("rbd", "", name="p", hosts=("m",), username="u"), "source"),
    ],
)
def test_what_makes_no_sense_is_refused_at_its_field(
    said: PoolWish, field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        check(said)
    assert list(caught.value.errors) == [field]


@pytest.mark.parametrize(
    ("kind", "words", "source"),
    [
        ("netfs", "nas:/export", PoolSource(hosts=("nas",), directory="/export")),
        ("gluster", "g1:/vol", PoolSource(hosts=("g1",), name="vol")),
        (
            "iscsi",
            "san:3260/iqn.2024-01.org:a",
            PoolSource(hosts=("san:3260",), devices=("iqn.2024-01.org:a",)),
        ),
        (
            "rbd",
            "vms@m1,m2:6789",
            PoolSource(hosts=("m1", "m2:6789"), name="vms"),
        ),
        ("logical", "vg0", PoolSource(name="vg0")),
        ("disk", "/dev/sdb", PoolSource(devices=("/dev/sdb",))),
        ("dir", "", PoolSource()),
    ],
)
def test_a_source_in_one_word(kind: str, words: str, source: PoolSource) -> None:
    assert source_of(kind, words) == source


def test_all_types_of_the_contract_are_there() -> None:
    assert {"dir", "logical", "netfs", "iscsi", "rbd", "zfs"} <= set(KINDS)
