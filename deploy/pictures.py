"""The README's pictures, made from the running product: `python -m deploy.pictures`."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from deploy.lab import Lab
from deploy.places import ROOT
from deploy.product import PASSWORD, Product

PICTURES = ROOT / "docs/pictures"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_NAMES = ("web-1", "web-2", "mail", "build-runner", "wiki", "metrics")
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


@contextmanager
def _scene(place: Path) -> Iterator[Product]:
    with Lab(place / "lab", "kvm", hosts=2) as lab, Product(place / "var") as product:
        for host in lab.hosts:
            product.call(
                "POST",
                "hosts/",
                {
                    "name": host.name,
                    "transport": "tcp",
                    "address": host.address,
                    "virt_type": "qemu",
                },
            )
        for number, name in enumerate(_NAMES):
            host = lab.hosts[number % 2]
            host.define_demo(name, 96, running=number != 4, disk_mib=64)
        lab.hosts[0].virsh("suspend", "mail")
        yield product


@contextmanager
def _browser(product: Product) -> Iterator[Page]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=FLAGS
        )
        page = chromium.new_page(viewport={"width": 1280, "height": 800})
        page.goto(f"{product.url}/login/")
        page.get_by_label("Username").or_(page.get_by_label("User name")).fill("admin")
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{product.url}/")
        yield page
        chromium.close()


def _take(page: Page, product: Product) -> None:
    uuid = product.call("GET", "guests/?search=web-1").body["items"][0]["uuid"]
    views = {
        "overview": "/",
        "guests": "/guests/",
        "guest": f"/guests/{uuid}/",
        "host": "/hosts/1/",
        "console": f"/guests/{uuid}/console/",
    }
    for name, path in views.items():
        page.goto(f"{product.url}{path}")
        time.sleep(5)  # live values have come, the screen is drawn
        page.screenshot(path=PICTURES / f"{name}.png")


if __name__ == "__main__":
    main()
