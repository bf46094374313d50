"""An image is judged by its first bytes, and nothing that it names is opened."""

import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from kvmweb.errors import Invalid
from kvmweb.virt import images, second_opinion

Make = Callable[..., bytes]
SECRET = ("--object", "secret,id=s,data=x")


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Images as qemu-img makes them."""

    def image(kind: str, *words: str, size: str = "64M") -> bytes:
        path = tmp_path / "made"
        command = ["qemu-img", "create", "-q", "-f", kind, *words, str(path), size]
        subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
        return path.read_bytes()

    return image


def judged(data: bytes, declared: str) -> images.Image:
    return images.inspect(data[: images.HEAD_BYTES], declared, len(data))


def refused(data: bytes, declared: str = "qcow2") -> str:
    with pytest.raises(Invalid) as caught:
        judged(data, declared)
    assert caught.value.errors["content"] == [caught.value.detail]
    return caught.value.detail


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("qcow2", ()),
        ("qcow2", ("-o", "compat=0.10")),
        ("qcow2", ("-o", "extended_l2=on,compression_type=zstd")),
        ("qcow2", ("-o", "cluster_size=512")),
        ("qcow2", ("-o", "cluster_size=2M")),
        ("vmdk", ()),
        ("vmdk", ("-o", "subformat=streamOptimized")),
    ],
)
def test_what_stands_alone_is_taken(make: Make, kind: str, words: tuple[str]) -> None:
    data = make(kind, *words)
    image = judged(data, kind)
    assert image == images.Image(kind, 64 << 20)
    second_opinion.need_same(data[: images.HEAD_BYTES], image, len(data))


def test_any_bytes_are_raw(make: Make) -> None:
    assert judged(bytes(5000), "raw").virtual_bytes == 5000
    assert judged(bytes(range(256)) * 20, "raw").format == "raw"
    iso = bytearray(40000)
    iso[32769:32774] = b"CD001"
    assert judged(bytes(iso), "raw").format == "raw"
    assert judged(bytes(iso), "iso").format == "iso"
    assert "no ISO" in refused(bytes(40000), "iso")


@pytest.mark.parametrize(
    ("kind", "words", "sentence"),
    [
        ("qcow2", ("-b", "/etc/shadow", "-F", "raw", "-u"), "stands on another file"),
        ("qcow2", ("-b", 'json:{"driver":"file"}', "-F", "raw", "-u"), "stands on"),
        ("qcow2", ("-o", "data_file=other.raw"), "data in another file"),
        (
            "qcow2",
            (*SECRET, "-o", "encrypt.format=luks,encrypt.key-secret=s"),
            "encrypted",
        ),
        ("vmdk", ("-o", "subformat=monolithicFlat"), "data in other files"),
        ("vmdk", ("-o", "subformat=twoGbMaxExtentSparse"), "data in other files"),
    ],
)
def test_what_needs_another_file_is_refused(
    make: Make, kind: str, words: tuple[str], sentence: str
) -> None:
    assert sentence in refused(make(kind, *words), kind)


def test_a_vmdk_that_stands_on_another_is_refused(make: Make, tmp_path: Path) -> None:
    (tmp_path / "base.vmdk").write_bytes(make("vmdk"))
    path = tmp_path / "top.vmdk"
    command = [
        "qemu-img",
        "create",
        "-q",
        "-f",
        "vmdk",
        "-F",
        "vmdk",
        "-b",
        "base.vmdk",
    ]
    subprocess.run([*command, str(path)], check=True, cwd=tmp_path)
    assert "stands on another file" in refused(path.read_bytes(), "vmdk")


def test_a_vmdk_that_says_it_is_a_mere_list_is_refused(make: Make) -> None:
    """QEMU reads a header without capacity as a list of other files."""
    data = make("vmdk")
    assert "no size" in refused(data[:12] + bytes(8) + data[20:], "vmdk")
    for other in (b"FLAT", b"VMFS", b"ZERO"):
        swapped = data.replace(b" SPARSE ", b" " + other + b" ")
        assert "data in another file" in refused(swapped, "vmdk")


@pytest.mark.parametrize(
    ("at", "value", "sentence"),
    [
        (24, struct.pack(">Q", 2**63), "8.38861e+06 TiB"),
        (24, struct.pack(">Q", 0), "0 TiB"),
        (24, struct.pack(">Q", 2**50), "tables do not fit"),
        (4, struct.pack(">I", 4), "version 4"),
        (20, struct.pack(">I", 63), "odd size"),
        (32, struct.pack(">I", 2), "encrypted"),
        (72, struct.pack(">Q", 1 << 2), "data in another file"),
        (72, struct.pack(">Q", 1 << 1), "corrupt"),
        (72, struct.pack(">Q", 1 << 40), "not known"),
        (100, struct.pack(">I", 99999), "odd length"),
        (60, struct.pack(">I", 2**31), "tables"),
    ],
)
def test_a_header_that_lies_is_refused(
    make: Make, at: int, value: bytes, sentence: str
) -> None:
    data = make("qcow2")
    assert sentence in refused(data[:at] + value + data[at + len(value) :])


@pytest.mark.parametrize(
    ("name", "kind"),
    [(0x44415441, "data in another file"), (0x0537BE77, "encrypted")],
)
def test_an_extension_of_the_header_says_as_much(
    make: Make, name: int, kind: str
) -> None:
    data = make("qcow2")
    told = struct.pack(">II", name, 8) + b"x" * 8
    assert kind in refused(data[:112] + told + data[112 + len(told) :])
    endless = struct.pack(">II", 77, 2**31)
    assert "no end" in refused(data[:112] + endless + data[120:])


@pytest.mark.parametrize("length", [1, 4, 40, 71, 80, 103])
def test_a_header_that_ends_is_refused(make: Make, length: int) -> None:
    assert refused(make("qcow2")[:length])


@pytest.mark.parametrize("kind", ["qcow2", "vmdk", "vdi", "qed", "vhdx"])
def test_another_image_is_not_taken_for_raw(make: Make, kind: str) -> None:
    assert f"This is a {kind} image" in refused(make(kind), "raw")


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"\x1f\x8b" + bytes(90), "gzip"),
        (b"PK\x03\x04" + bytes(90), "zip"),
        (bytes(257) + b"ustar" + bytes(90), "OVA"),
        (b"\x7fELF" + bytes(90), "program"),
        (b"root:x:0:0:root:/root:/bin/bash\n" * 9, "a text"),
        ("Grüße\n".encode() * 900, "a text"),
        (b"LUKS\xba\xbe" + bytes(90), "encrypted"),
        (b"", "empty"),
    ],
)
def test_what_is_no_disk_is_named(data: bytes, what: str) -> None:
    assert what in refused(data, "raw")
    assert refused(data, "qcow2")


def test_a_format_that_nobody_takes() -> None:
    assert "are not taken" in refused(bytes(5000), "vdi")


def test_qemu_img_is_asked_too(make: Make) -> None:
    data = make("qcow2")
    wrong = images.Image("qcow2", 1)
    with pytest.raises(Invalid, match="another size"):
        second_opinion.need_same(data, wrong, len(data))
    broken = data[:40] + struct.pack(">Q", 3) + data[48:]  # a table nowhere
    with pytest.raises(Invalid, match="qemu-img cannot read"):
        second_opinion.need_same(broken, images.Image("qcow2", 64 << 20), len(data))
