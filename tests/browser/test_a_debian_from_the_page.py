"""A person makes a real Debian on the page: it is what they said, and can go back.

One guest for all of it: an emulated Debian takes a minute to boot.
"""

import base64
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from deploy import debian as recipe
from deploy.lab_host import LabError, LabHost
from deploy.product import Product
from tests.lab import debian
from tests.lab import volumes as ask
from tests.lab.debian import BOOT_S, Debian
from tests.scene import guest
from tests.waiting import until

IMAGES = "var/lib/libvirt/images"
GIB = 1024**3
PASSWORD = "correct horse"
KEY = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHk0P8v0Wb2N4yJ8q0eZ1x7n3d5m9k2j6h4g8f1s3a5d"
    " ann@desk"
)
USER_DATA = "#cloud-config\nwrite_files:\n- {path: /etc/told, content: yes it was}\n"


@pytest.fixture
def image(product: Product, kvm: LabHost) -> Iterator[int]:
    """The Debian image on the real host; it goes with all that was made of it."""
    home = ask.host_id(product, "kvm")
    made = debian.registered(product, ask.pool(product, home)["id"], recipe.build())
    yield made
    for name in {"front", "twin"} & set(kvm.virsh("list", "--all", "--name").split()):
        if kvm.virsh("domstate", name) != "shut off":
            kvm.virsh("destroy", name)
        kvm.virsh("undefine", name, "--nvram", "--snapshots-metadata")
    for left in (kvm.root / IMAGES).iterdir():
        if left.name.startswith(("front", "twin", "tools")):
            left.unlink()
    kvm.virsh("pool-refresh", "default")
    until(lambda: not ask.volume(product, ask.pool(product, home)["id"], "front.qcow2"))
    product.call("DELETE", f"images/{made}/?copies=delete")


def documents(kvm: LabHost) -> str:
    """What runs and what is defined."""
    running = kvm.virsh("dumpxml", "front")
    return running + kvm.virsh("dumpxml", "front", "--inactive")


def created(page: Page) -> None:
    """The form, filled in and sent, until its operation has ended."""
    page.goto("/guests/new/")
    page.get_by_role("radio", name="An image").check()
    offered = page.locator("select[name=image] option", has_text=recipe.NAME)
    page.get_by_label("Image", exact=True).select_option(
        offered.first.get_attribute("value")
    )
    page.get_by_label("Name", exact=True).fill("front")
    page.get_by_label("Memory", exact=True).fill("512 MiB")
    page.get_by_label("vCPUs", exact=True).fill("2")
    page.get_by_label("Disk", exact=True).fill("4 GiB")
    page.get_by_label("Network", exact=True).select_option("default")
    page.get_by_label("User", exact=True).fill("ann")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("SSH keys").fill(KEY)
    page.get_by_text("Host name, addresses, own user-data").click()
    page.get_by_label("Host name").fill("shop")
    page.get_by_label("Own user-data").fill(USER_DATA)
    page.get_by_text("Host and firmware").click()
    page.get_by_label("Host", exact=True).select_option(label="kvm")
    expect(page.locator("[data-preview]")).to_contain_text("will be placed on kvm")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_text("front is running on kvm.")).to_be_visible()


def cd(kvm: LabHost, tmp_path: Path) -> None:
    """A CD in the host's pool."""
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools/readme").write_text("tools")
    out = kvm.root / IMAGES / "tools.iso"
    made = ["xorriso", "-as", "mkisofs", "-quiet", "-V", "TOOLS", "-o", str(out)]
    subprocess.run([*made, str(tmp_path / "tools")], check=True, capture_output=True)
    kvm.virsh("pool-refresh", "default")


def test_it_is_who_they_said_and_can_go_back(
    open_page: Callable[..., Page],
    product: Product,
    kvm: LabHost,
    image: int,
    tmp_path: Path,
) -> None:
    page = open_page("/")
    created(page)
    uuid = kvm.virsh("domuuid", "front")
    assert "front-seed.iso" in documents(kvm)
    with Debian(kvm, uuid) as terminal:
        address = told(terminal)
        until(lambda: address in guest(product, uuid)["ip_addresses"], 60)
        page.goto(f"/guests/{uuid}/")
        expect(page.get_by_text(address).first).to_be_visible()
        seed = kvm.root / IMAGES / "front-seed.iso"
        until(lambda: not (seed.exists() or seed.name in documents(kvm)), 90)
        cd(kvm, tmp_path)
        put_in(page, uuid)
        until(lambda: "TOOLS" in terminal.say("sudo blkid -p /dev/sr0"), 120)
        by_its_agent(product, uuid, terminal)
        kept(page, uuid)
        assert "No such" in terminal.say("sudo rm /etc/told; cat /etc/told")
    gone_back(page, uuid)
    with Debian(kvm, uuid) as terminal:
        assert terminal.say("cat /etc/told") == "yes it was"
        machine = terminal.say("cat /etc/machine-id")
    cloned(page, kvm, uuid)
    until(lambda: inside(kvm, "twin", "/etc/hostname") == "twin", BOOT_S)
    until(lambda: inside(kvm, "twin", "/etc/machine-id") not in {"", machine}, BOOT_S)


def told(terminal: Debian) -> str:
    """What it says of itself once somebody signs in; its address."""
    terminal.signed_in("ann", PASSWORD)
    assert "shop login: " in terminal.greeting
    # Until then cloud-init speaks on the same port.
    until(lambda: "done" in terminal.say("cloud-init status"), BOOT_S)
    assert terminal.say("hostname") == "shop"
    assert terminal.say("cat .ssh/authorized_keys") == KEY
    assert terminal.say("sudo id -un") == "root"
    assert terminal.say("cat /etc/told") == "yes it was"
    size = int(terminal.say("df --output=size -B1 / | tail -1"))
    assert 3.5 * GIB < size < 4 * GIB  # the disk is larger than the image
    return terminal.say("hostname -I").split()[0]


def put_in(page: Page, uuid: str) -> None:
    """The CD, once the page knows of it."""
    until(lambda: _offers_tools(page, uuid), 60)
    option = page.locator("option", has_text="tools.iso").first
    page.get_by_label("In it").select_option(option.get_attribute("value"))
    page.get_by_role("button", name="Change it").click()


def _offers_tools(page: Page, uuid: str) -> bool:
    page.goto(f"/guests/{uuid}/cdrom/")
    return page.locator("option", has_text="tools.iso").count() > 0


def kept(page: Page, uuid: str) -> None:
    """A snapshot with its memory."""
    page.goto(f"/guests/{uuid}/snapshots/new/")
    page.get_by_label("Name", exact=True).fill("before")
    page.get_by_label("Memory, too").check()
    page.get_by_role("button", name="Make the snapshot").click()
    row = page.get_by_role("row").filter(has_text="before")
    expect(row.get_by_text("memory and disks")).to_be_visible(timeout=120_000)
    said = page.get_by_text("The snapshot before of front was made")
    expect(said.first).to_be_attached(timeout=120_000)


def gone_back(page: Page, uuid: str) -> None:
    """To that snapshot, and on from there."""
    page.goto(f"/guests/{uuid}/snapshots/before/revert/")
    page.get_by_label("Name of the guest").fill("front")
    page.get_by_role("button", name="Go back to before").click()
    said = page.get_by_text("front is as it was at before, and running.")
    expect(said.first).to_be_attached(timeout=120_000)


def by_its_agent(product: Product, uuid: str, terminal: Debian) -> None:
    """Its file systems are held still for a snapshot; it gets a password and a key."""
    said = product.call("POST", f"guests/{uuid}/snapshots/", {"name": "still"})
    assert ask.done(product, said)["result"]["frozen"]
    ask.done(product, product.call("DELETE", f"guests/{uuid}/snapshots/still/"))
    word = {"user": "ann", "password": "another horse"}
    ask.done(product, product.call("POST", f"guests/{uuid}/set-password/", word))
    keys = {"user": "ann", "ssh_keys": [KEY.replace("AAAIHk0", "AAAIHk1")]}
    ask.done(product, product.call("POST", f"guests/{uuid}/ssh-keys/", keys))
    assert terminal.say("grep -c desk .ssh/authorized_keys") == "2"


def cloned(page: Page, kvm: LabHost, uuid: str) -> None:
    """A full clone that runs."""
    kvm.virsh("destroy", "front")
    until(lambda: _can_clone(page, uuid), 30)
    page.get_by_label("Name", exact=True).fill("twin")
    page.get_by_label("Full clone").check()
    page.get_by_label("Start it when it is made").check()
    page.get_by_role("button", name="Clone front").click()
    said = page.get_by_text("twin, a clone of front, is running on kvm.")
    expect(said.first).to_be_attached(timeout=120_000)


def _can_clone(page: Page, uuid: str) -> bool:
    page.goto(f"/guests/{uuid}/clone/")
    return page.get_by_role("button", name="Clone front").is_enabled()


def inside(kvm: LabHost, name: str, path: str) -> str:
    """A file of the guest, as its agent reads it; "" while it has none."""
    opened = _agent(kvm, name, "guest-file-open", path=path)
    if opened is None:
        return ""
    read = _agent(kvm, name, "guest-file-read", handle=opened)
    _agent(kvm, name, "guest-file-close", handle=opened)
    return base64.b64decode(read["buf-b64"]).decode().strip() if read else ""


def _agent(kvm: LabHost, name: str, command: str, **arguments: object) -> Any:
    asked = json.dumps({"execute": command, "arguments": arguments})
    try:
        return json.loads(kvm.virsh("qemu-agent-command", name, asked))["return"]
    except LabError:
        return None  # it boots
