"""The README's pictures, made from the running product: `python -m deploy.pictures`."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from deploy import browser, self_service_pictures
from deploy.lab import Lab
from deploy.lab_host import LabHost
from deploy.places import ROOT
from deploy.product import PASSWORD, Product

PICTURES = ROOT / "docs/pictures"
_NAMES = ("web-1", "web-2", "mail", "build-runner", "wiki", "metrics")
_SOON_S = 60
_WATCH_S = 40  # until the charts show something


def main() -> None:
    """Start hosts and guests, look at them for a while, and take the pictures."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="kp-", dir="/tmp") as place,
        _scene(Path(place)) as product,
        _browser(product) as page,
    ):
        time.sleep(_WATCH_S)
        _take(page, product)
        _take_moves(page, product)
        if browser := page.context.browser:
            self_service_pictures.take(browser, product)


@contextmanager
def _scene(place: Path) -> Iterator[Product]:
    with Lab(place / "lab", "kvm", hosts=3) as lab, Product(place / "var") as product:
        for host in lab.hosts:
            product.call(
                "POST",
                "hosts/",
                {
                    "name": host.name,
                    "transport": "tcp",
                    "address": host.address,
                    "migration_address": host.address,
                    "virt_type": "qemu",
                },
            )
        for number, name in enumerate(_NAMES):
            host = lab.hosts[number % 2]
            host.define_demo(name, 96, running=number != 4, disk_mib=64)
            host.virsh("pool-refresh", "default")
        lab.hosts[0].virsh("suspend", "mail")
        _put_a_cd_in(lab.hosts[0], "wiki")
        _put_an_image(product, lab.hosts[0])
        _change_hardware(product)
        yield product


def _put_a_cd_in(host: LabHost, name: str) -> None:
    """One that only this host has: the guest does not move with it."""
    host.virsh("vol-create-as", "default", "tools.iso", "1M", "--format", "raw")
    path = host.virsh("vol-path", "tools.iso", "--pool", "default")
    drive = ("sda", "--targetbus", "sata", "--type", "cdrom", "--mode", "readonly")
    host.virsh("attach-disk", name, path, *drive, "--config")


def _put_an_image(product: Product, host: LabHost) -> None:
    """A volume in the catalogue, for the page of a new guest: it is empty inside."""
    name = "debian-12.qcow2"
    host.virsh("vol-create-as", "shared", name, "8G", "--format", "qcow2")
    find = f"hosts/1/volumes/?search={name}"
    volume = _soon(lambda: product.call("GET", find).body["items"])[0]
    about = {"name": "Debian", "version": "12", "os": "debian12", "cloud_init": True}
    product.call("POST", "images/", {**about, "source": {"volume": volume["id"]}})
    _soon(lambda: product.call("GET", "images/").body["items"][0]["state"] == "ready")


def _change_hardware(product: Product) -> None:
    """One guest with a version more, and something that waits for its next start."""
    find = "guests/?search=web-1"
    uuid = _soon(lambda: product.call("GET", find).body["items"])[0]["uuid"]
    later = {"vcpus": 2, "memory_bytes": 256 << 20, "when": "next-start"}
    asked = product.call("PATCH", f"guests/{uuid}/", later).body["id"]
    _soon(lambda: product.call("GET", f"operations/{asked}/").body["finished_at"])


def _soon(find: Callable[[], Any]) -> Any:
    """What is found, once it is there. Raises TimeoutError after a minute."""
    deadline = time.monotonic() + _SOON_S
    while not (found := find()):
        if time.monotonic() > deadline:
            raise TimeoutError("The scene of the pictures does not come about.")
        time.sleep(0.2)
    return found


@contextmanager
def _browser(product: Product) -> Iterator[Page]:
    with browser.started() as chromium:
        page = chromium.new_page(viewport={"width": 1280, "height": 800})
        page.goto(f"{product.url}/login/")
        page.get_by_label("Username").or_(page.get_by_label("User name")).fill("admin")
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{product.url}/")
        yield page


def _take(page: Page, product: Product) -> None:
    uuid = product.call("GET", "guests/?search=web-1").body["items"][0]["uuid"]
    views = {
        "overview": "/",
        "guests": "/guests/",
        "guest": f"/guests/{uuid}/",
        "host": "/hosts/1/",
        "hardware": f"/guests/{uuid}/#hardware",
        "versions": f"/guests/{uuid}/revisions/2/",
        "pool": "/pools/1/",
        "console": f"/guests/{uuid}/console/",
    }
    for name, path in views.items():
        page.goto(f"{product.url}{path}")
        page.reload()  # where only the part behind "#" is new, nothing was loaded
        time.sleep(5)  # live values have come, the screen is drawn
        page.screenshot(path=PICTURES / f"{name}.png")
    _take_a_new_guest(page, product)


def _take_a_new_guest(page: Page, product: Product) -> None:
    page.goto(f"{product.url}/guests/new/")
    page.get_by_label("Image", exact=True).select_option(index=1)
    page.get_by_label("Name", exact=True).fill("shop")
    page.get_by_label("How many").fill("3")
    page.get_by_label("User", exact=True).fill("ann")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_text("New volumes").wait_for()
    page.evaluate("scrollTo(0, 0)")
    page.screenshot(path=PICTURES / "new-guest.png")


def _take_moves(page: Page, product: Product) -> None:
    """Where guests may go, a host that would be emptied, and what it cost afterwards."""
    found = product.call("GET", "guests/?limit=50").body["items"]
    guests = {each["name"]: each["uuid"] for each in found}
    for name in ("web-2", "web-1", "metrics"):
        asked = product.call("POST", f"guests/{guests[name]}/migration-check/", {})
        _over(product, asked.body["id"])
    _picture(page, product, "matrix", "/guests/moves/")
    _picture(page, product, "drain", "/hosts/2/drain/")
    _drained(product)  # the first moves of a link are what the next are foretold by
    drain = _drained(product)
    _picture(page, product, "report", f"/moves/report/?drain={drain}")
    _picture(page, product, "move", f"/guests/{guests['web-1']}/move/")


def _drained(product: Product) -> str:
    """The operation that emptied the second host; its guests are home again."""
    place = "hosts/2/maintenance/"
    emptying = {"enabled": True, "evacuate": True}
    drain = str(product.call("POST", place, emptying).body["id"])
    _over(product, drain)
    product.call("POST", place, {"enabled": False})
    _over(product, product.call("POST", "hosts/2/bring-home/", {}).body["id"])
    return drain


def _over(product: Product, operation: str) -> None:
    _soon(lambda: product.call("GET", f"operations/{operation}/").body["finished_at"])


def _picture(page: Page, product: Product, name: str, path: str) -> None:
    page.goto(f"{product.url}{path}")
    time.sleep(2)
    page.screenshot(path=PICTURES / f"{name}.png")


if __name__ == "__main__":
    main()
