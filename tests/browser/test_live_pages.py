"""Pages that stay true by themselves, and say when they cannot."""

import os
import re
import signal
from collections.abc import Callable
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect

from deploy.lab_host import LabHost
from deploy.product import Product
from tests.waiting import until

OpenPage = Callable[..., Page]
pytestmark = pytest.mark.lab


def mark(page: Page) -> Callable[[], None]:
    """Mark the page; call what comes back to make sure that it is still the same one."""
    page.evaluate("window.stillHere = true")

    def still_there() -> None:
        assert page.evaluate("window.stillHere === true"), "The page was loaded again."

    return still_there


def test_the_list_follows_what_virsh_does(
    open_page: OpenPage, kvm: LabHost, guest_of: Callable[..., UUID]
) -> None:
    uuid = guest_of("follows", running=False)
    page = open_page("/guests/?search=follow")
    same = mark(page)
    line = page.locator(f'tr[data-guest="{uuid}"]')
    expect(line.locator("[data-news=state]")).to_have_text("off")
    kvm.virsh("start", "--domain", "follows")
    expect(line.locator("[data-news=state]")).to_have_text("running")
    kvm.virsh("suspend", "--domain", "follows")
    expect(line.locator("[data-news=state]")).to_have_text("paused")
    expect(line.get_by_role("button", name="Resume")).to_be_visible()
    other = guest_of("followed", running=False)
    expect(page.locator(f'tr[data-guest="{other}"]')).to_be_visible()
    same()


def test_a_guest_is_started_from_the_list(
    open_page: OpenPage, guest_of: Callable[..., UUID]
) -> None:
    uuid = guest_of("from-list", running=False)
    page = open_page("/guests/?search=from-list")
    same = mark(page)
    line = page.locator(f'tr[data-guest="{uuid}"]')
    start = line.get_by_role("button", name="Start from-list")
    start.click()
    expect(line.locator("[data-news=state]")).to_have_text("running")
    expect(line.get_by_role("link", name="Console of from-list")).to_be_visible()
    same()


def test_the_menu_of_a_row_works_with_the_keyboard_and_outlives_news(
    open_page: OpenPage, kvm: LabHost, guest_of: Callable[..., UUID]
) -> None:
    uuid = guest_of("by-menu")
    page = open_page("/guests/?search=by-menu")
    mark(page)
    line = page.locator(f'tr[data-guest="{uuid}"]')
    page.get_by_label("More actions on by-menu").focus()
    page.keyboard.press("Enter")
    pause = line.get_by_role("button", name="Pause", exact=True)
    expect(pause).to_be_visible()
    expect(line.get_by_role("button", name="Start", exact=True)).to_have_count(0)
    kvm.virsh("desc", "--domain", "by-menu", "--live", "news")
    guest_of("by-menu-too", running=False)
    expect(page.get_by_role("link", name="by-menu-too")).to_be_visible()
    pause.press("Enter")
    expect(line.locator("[data-news=state]")).to_have_text("paused")
    page.get_by_label("More actions on by-menu", exact=True).click()
    line.get_by_role("link", name="Clone…").click()
    expect(page).to_have_url(re.compile(f"/guests/{uuid}/clone/"))
    assert not page.evaluate("window.stillHere === true")


def test_pulling_the_plug_asks_first(
    open_page: OpenPage, guest_of: Callable[..., UUID]
) -> None:
    uuid = guest_of("pulled")
    page = open_page(f"/guests/{uuid}/")
    page.get_by_label("More actions").click()
    page.get_by_role("button", name="Force off").click()
    dialog = page.get_by_role("dialog", name="Force off pulled?")
    expect(dialog).to_contain_text("pulling the plug")
    dialog.get_by_role("button", name="Cancel").click()
    expect(page.locator(".head .state")).to_have_text("running")
    page.get_by_label("More actions").click()
    page.get_by_role("button", name="Force off").click()
    dialog.get_by_role("button", name="Force off pulled").click()
    expect(page.locator(".head .state")).to_have_text("off")


def test_several_guests_are_started_at_once(
    open_page: OpenPage, guest_of: Callable[..., UUID]
) -> None:
    uuids = [guest_of(f"together-{place}", running=False) for place in range(3)]
    page = open_page("/guests/?search=together")
    page.get_by_label("Select together-0").click()
    page.get_by_label("Select together-2").click(modifiers=["Shift"])
    bar = page.get_by_role("toolbar", name="Selected guests")
    expect(bar).to_contain_text("3 selected")
    bar.get_by_role("button", name="Start").click()
    for uuid in uuids:
        line = page.locator(f'tr[data-guest="{uuid}"]')
        expect(line.locator("[data-news=state]")).to_have_text("running")


def test_the_drawer_shows_what_goes_on(
    open_page: OpenPage, product: Product, guest_of: Callable[..., UUID]
) -> None:
    uuid = guest_of("drawn", running=False)
    page = open_page("/hosts/")
    page.get_by_role("button", name=re.compile("under way")).click()
    drawer = page.get_by_role("complementary", name="Operations")
    expect(drawer).to_be_visible()
    product.call("POST", f"guests/{uuid}/start/")
    expect(drawer.get_by_role("link", name="Start drawn")).to_be_visible()
    task = drawer.locator(".task", has_text="Start drawn")
    expect(task.locator(".state")).to_have_text("succeeded")
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()


def test_the_chart_moves(open_page: OpenPage, guest_of: Callable[..., UUID]) -> None:
    uuid = guest_of("drawing")
    page = open_page(f"/guests/{uuid}/")
    canvas = page.locator("[data-chart=cpu] canvas")
    expect(canvas).to_be_visible()
    drawn = "canvas => canvas.toDataURL()"
    first = canvas.evaluate(drawn)
    until(lambda: page.locator("[data-chart=cpu] canvas").evaluate(drawn) != first, 20)
    plot = page.locator("[data-chart=cpu] [data-plot]")
    expect(plot).to_have_attribute("aria-label", re.compile("Processor: least .* %"))


def test_it_says_when_it_is_not_live_and_recovers_without_a_reload(
    open_page: OpenPage, product: Product, kvm: LabHost, guest_of: Callable[..., UUID]
) -> None:
    uuid = guest_of("away", running=False)
    page = open_page("/guests/?search=away")
    live = page.locator("#live-line")
    expect(live).to_have_text("live")
    same = mark(page)
    pids = product.pids_below(product.pids("uvicorn"))
    for pid in pids:  # stopped: as silent as a cable that was pulled out
        os.kill(pid, signal.SIGSTOP)
    kvm.virsh("start", "--domain", "away")
    expect(live).to_have_text(re.compile("^not live since"), timeout=60000)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    expect(live).to_have_text("live", timeout=60000)
    line = page.locator(f'tr[data-guest="{uuid}"]')
    expect(line.locator("[data-news=state]")).to_have_text("running")
    same()
    open_page.said.clear()  # type: ignore[attr-defined]  # the browser noticed, too
