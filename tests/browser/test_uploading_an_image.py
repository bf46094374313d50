"""A file becomes an image: looked at, sent, checked by its host."""

import io
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from deploy.lab_host import LabHost
from deploy.product import Product

POOL = "kvm, default"


@pytest.fixture
def made(product: Product, kvm: LabHost) -> Iterator[None]:
    """The images that a test makes go with it."""
    yield
    for image in product.call("GET", "images/?limit=100").body["items"]:
        product.call("DELETE", f"images/{image['id']}/?copies=delete")


def sent(page: Page, file: Path, name: str) -> None:
    """Choose the file, say what it is, send it."""
    page.get_by_label("File").set_input_files(file)
    page.get_by_label("Name").fill(name)
    option = page.locator("select[name=pool] option", has_text=POOL)
    page.get_by_label("Where to").select_option(option.get_attribute("value"))
    page.get_by_role("button", name="Upload it").click()


@pytest.mark.usefixtures("made")
def test_a_qcow2_file_becomes_an_image(
    open_page: Callable[..., Page], tmp_path: Path
) -> None:
    file = tmp_path / "disk.qcow2"
    made = ["qemu-img", "create", "-q", "-f", "qcow2", str(file), "3G"]
    subprocess.run(made, check=True)
    page = open_page("/images/upload/")
    page.get_by_label("File").set_input_files(file)
    expect(page.get_by_text("A qcow2 image, ")).to_be_visible()
    sent(page, file, "Uploaded")
    expect(page.get_by_role("heading", name="Uploaded", level=1)).to_be_visible()
    expect(page.locator(".title .state", has_text="ready")).to_be_visible()
    expect(page.get_by_text("3 GiB, at least 3 GiB")).to_be_visible()
    page.goto("/images/")
    row = page.get_by_role("row", name="Uploaded")
    expect(row.get_by_role("link", name="kvm")).to_be_visible()


@pytest.mark.usefixtures("made")
def test_of_an_ova_the_disk_is_sent_and_converted(
    open_page: Callable[..., Page], tmp_path: Path
) -> None:
    raw, disk = tmp_path / "disk.img", tmp_path / "disk.vmdk"
    raw.write_bytes(b"kvmweb" * 10000)
    convert = ["qemu-img", "convert", "-f", "raw", "-O", "vmdk", str(raw), str(disk)]
    subprocess.run([*convert, "-o", "subformat=streamOptimized"], check=True)
    file = tmp_path / "appliance.ova"
    with tarfile.open(file, "w") as archive:
        about = tarfile.TarInfo("appliance.ovf")
        about.size = 700
        archive.addfile(about, io.BytesIO(b"<Envelope/>".ljust(700)))
        archive.add(disk, "appliance-disk1.vmdk")
    page = open_page("/images/upload/")
    sent(page, file, "Appliance")
    expect(page.get_by_text("The disk of an OVA")).to_be_visible()
    expect(page.get_by_role("heading", name="Appliance", level=1)).to_be_visible()
    expect(page.locator(".title .state", has_text="ready")).to_be_visible()
    expect(page.get_by_text("qcow2", exact=True)).to_be_visible()


@pytest.mark.usefixtures("made")
def test_what_is_no_disk_is_refused_in_words(
    open_page: Callable[..., Page], tmp_path: Path
) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("This is no disk. " * 100)
    page = open_page("/images/upload/")
    sent(page, file, "Notes")
    expect(page.get_by_role("alert")).to_contain_text("no disk image")
    said = open_page.said  # type: ignore[attr-defined]
    said[:] = [line for line in said if "422" not in line]  # rightly
    expect(page.get_by_label("Name")).to_have_value("Notes")
