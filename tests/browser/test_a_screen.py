"""A person opens a guest's screen in the browser, types on it, and loses it for a while."""

from collections.abc import Callable
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect

from deploy.lab_host import LabHost
from deploy.product import Product
from tests.scene import seen
from tests.waiting import until

# How many colours the screen has now; a black one has one.
COLOURS = """() => {
  const canvas = document.querySelector("[data-console-screen] canvas");
  if (!canvas || !canvas.width) return 0;
  const { data } = canvas
    .getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return new Set(new Uint32Array(data.buffer)).size;
}"""
PICTURE = """() => document.querySelector("[data-console-screen] canvas").toDataURL()"""


@pytest.fixture
def screen(
    product: Product, guest_of: Callable[..., UUID], open_page: Callable[..., Page]
) -> tuple[Page, UUID]:
    """The page of a running guest's screen, connected and with something on it."""
    guest = guest_of("looked-at")
    seen(product, guest, "running")
    page = open_page(f"/guests/{guest}/console/")
    expect(page.locator("[data-console]")).to_have_attribute("data-state", "open")
    until(lambda: page.evaluate(COLOURS) > 1, 60)
    return page, guest


def _typed(page: Page, text: str) -> None:
    page.get_by_text("Type text").click()
    page.get_by_label("Text to type into the guest").fill(text)
    page.get_by_role("button", name="Type it").click()
    expect(page.get_by_label("Text to type into the guest")).to_have_value("")


def test_it_shows_pixels_and_takes_keys(
    screen: tuple[Page, UUID], kvm: LabHost
) -> None:
    page, _ = screen
    expect(page.locator("[data-console-line]")).to_contain_text("Connected")

    def wrote() -> bool:
        # Big letters, signs and a new line arrive as they were meant.
        before = page.evaluate(PICTURE)
        _typed(page, "printf '\\033[7m%2000s' A_b-C~1\n")
        return bool(page.evaluate(PICTURE) != before)

    until(wrote, 60)
    page.get_by_text("Keys", exact=True).click()
    page.get_by_role("button", name="Ctrl-Alt-F2", exact=True).click()
    fit = page.get_by_role("button", name="Fit")
    fit.click()
    expect(fit).to_have_attribute("aria-pressed", "false")


def test_who_only_looks_has_nothing_to_press(screen: tuple[Page, UUID]) -> None:
    page, _ = screen
    page.get_by_role("button", name="View only").click()
    expect(page.locator("[data-console-line]")).to_contain_text("only look")
    expect(page.get_by_role("button", name="Ctrl-Alt-Del")).to_be_disabled()
    page.get_by_role("button", name="View only").click()
    expect(page.get_by_role("button", name="Ctrl-Alt-Del")).to_be_enabled()


def test_it_comes_back_by_itself(
    screen: tuple[Page, UUID], product: Product, kvm: LabHost
) -> None:
    page, _ = screen
    root = page.locator("[data-console]")
    kvm.virsh("destroy", "--domain", "looked-at")
    expect(root).to_have_attribute("data-state", "waiting")
    expect(page.locator("[data-console-line]")).to_contain_text("Trying again")
    kvm.virsh("start", "--domain", "looked-at")
    expect(root).to_have_attribute("data-state", "open")


def test_it_stays_away_when_asked_to(screen: tuple[Page, UUID]) -> None:
    page, _ = screen
    root = page.locator("[data-console]")
    page.get_by_role("button", name="Disconnect").click()
    expect(root).to_have_attribute("data-state", "ended")
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(root).to_have_attribute("data-state", "open")


def test_the_keyboard_leaves_the_screen_again(screen: tuple[Page, UUID]) -> None:
    page, _ = screen
    page.locator("[data-console-screen] canvas").click()
    page.keyboard.press("Control+Alt+Shift")
    expect(page.get_by_role("button", name="Ctrl-Alt-Del")).to_be_focused()
