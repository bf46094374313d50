"""A person moves a guest: sees where it may go and at what cost, chooses, watches."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from deploy import lab as labs
from deploy.lab import Lab
from deploy.product import Product
from tests.browser.conftest import add_host
from tests.waiting import until

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def pair(product: Product) -> Iterator[Lab]:
    """Two real hosts of the product, that reach each other."""
    if os.geteuid() != 0:
        pytest.fail("The lab makes network namespaces: run 'make test' as root.")
    labs.remove_left_behind("kp")
    folder = Path("/tmp", f"kvmweb-pair-{os.getpid()}")
    with Lab(folder, f"kp{os.getpid() % 10**7}", hosts=2) as lab:
        added = [
            add_host(
                product,
                name=host.name,
                transport="tcp",
                address=host.address,
                migration_address=host.address,
                virt_type="qemu",
            )
            for host in lab.hosts
        ]
        yield lab
        for number in added:
            product.call("DELETE", f"hosts/{number}/")


@pytest.fixture
def web(product: Product, pair: Lab) -> Iterator[str]:
    """A running guest on the first of them."""
    uuid = str(pair.hosts[0].define_demo("traveller", 96))
    until(lambda: _state(product, uuid) == "running", 20)
    yield uuid
    for host in pair.hosts:
        if uuid in host.virsh("list", "--all", "--uuid").split():
            host.virsh("destroy", uuid)
            host.virsh("undefine", uuid)


def _state(product: Product, uuid: str) -> str:
    said = product.call("GET", f"guests/{uuid}/")
    return str(said.body["state"]) if said.status == 200 else ""


def test_it_is_moved_by_a_button_and_is_there(
    open_page: Callable[..., Page], product: Product, pair: Lab, web: str
) -> None:
    here, there = pair.hosts
    page = open_page(f"/guests/{web}/")
    page.get_by_label("More actions").click()
    page.get_by_role("link", name="Move…").click()
    option = page.locator(f"section[aria-label='{there.name}']")
    expect(option).to_contain_text("standing still for about")
    expect(option).to_contain_text("were not asked yet")
    page.get_by_role("button", name="Check now").click()
    expect(option).to_contain_text("Both hosts were asked")
    option.get_by_role("button", name=f"Move to {there.name}").click()
    expect(page).to_have_url(re.compile("/operations/"))
    expect(page.locator("h1")).to_contain_text("traveller")
    expect(page.get_by_text("succeeded").first).to_be_visible()
    assert web in there.virsh("list", "--uuid").split()
    assert web not in here.virsh("list", "--all", "--uuid").split()
    page.goto(f"/guests/{web}/")
    expect(page.get_by_role("link", name=there.name).first).to_be_visible()


def test_why_it_cannot_go_is_said_and_mended_without_scripts(
    open_page: Callable[..., Page], product: Product, pair: Lab, web: str
) -> None:
    there = pair.hosts[1]
    there.virsh("net-destroy", "default")
    page = open_page(f"/guests/{web}/move/", java_script_enabled=False)
    option = page.locator(f"section[aria-label='{there.name}']")
    _again_until(page, option.get_by_text("is not started"))
    expect(option.get_by_role("button", name="Move to")).to_have_count(0)
    option.get_by_role("button", name="Start it").click()
    _again_until(page, option.get_by_role("button", name="Move to"))
    assert "yes" in there.virsh("net-info", "default")


def _again_until(page: Page, wanted: object) -> None:
    """Load the page anew until this is on it: without scripts it does not change."""

    def there() -> bool:
        page.reload()
        return bool(wanted.count())  # type: ignore[attr-defined]

    until(there, 20, pause=0.3)


def test_every_guest_stands_with_every_host(
    open_page: Callable[..., Page], pair: Lab, web: str
) -> None:
    page = open_page("/guests/moves/?search=traveller")
    row = page.get_by_role("row").filter(has_text="traveller")
    expect(row.get_by_text("is here")).to_have_count(1)
    row.get_by_role("link", name="traveller", exact=True).click()
    expect(page).to_have_url(re.compile(f"/guests/{web}/move/"))


def test_a_guest_that_is_dropped_on_a_host_opens_the_move_to_it(
    open_page: Callable[..., Page], pair: Lab, web: str
) -> None:
    there = pair.hosts[1]
    page = open_page("/guests/?search=traveller")
    name = page.locator(f"tr[data-guest='{web}'] a.name")
    expect(name).to_be_visible()
    place = name.bounding_box()
    assert place
    page.mouse.move(place["x"] + 5, place["y"] + 5)
    page.mouse.down()
    page.mouse.move(place["x"] + 60, place["y"] + 60, steps=5)
    target = page.locator(f"[data-drop-host='{there.name}']")
    expect(target).to_be_visible()
    home = pair.hosts[0].name
    expect(page.locator(f"[data-drop-host='{home}']")).to_be_hidden()
    target.hover()
    target.hover()
    page.mouse.up()
    expect(page).to_have_url(re.compile(f"/guests/{web}/move/#to-{there.name}"))
    expect(page.locator(f"#to-{there.name}")).to_contain_text("It can go there")
