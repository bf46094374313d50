"""Coming in, and being told why not."""

from collections.abc import Callable
from uuid import UUID

import pytest
from playwright.sync_api import Browser, Page, expect

from deploy.product import PASSWORD, Product
from tests.browser.conftest import sign_in


@pytest.fixture
def page(product: Product, chromium: Browser) -> Page:
    """A browser that nobody signed in with."""
    return chromium.new_context(base_url=product.url).new_page()


def test_it_leads_back_to_the_page_one_wanted(page: Page) -> None:
    page.goto("/hosts/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url("/hosts/")


def test_it_says_that_the_password_is_wrong(page: Page) -> None:
    page.goto("/login/")
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill("not this one at all")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_label("User name")).to_have_value("admin")


def test_signing_out_ends_it(page: Page) -> None:
    sign_in(page)
    page.get_by_label("admin: account and theme").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.goto("/guests/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


@pytest.mark.lab
def test_a_guest_is_started_with_the_keyboard_alone(
    page: Page, guest_of: Callable[..., UUID]
) -> None:
    guest_of("by-keys", running=False)
    page.goto("/login/")
    page.keyboard.type("admin")  # the field has the focus already
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()
    expect(page.locator("#live-line")).to_have_text("live")  # its scripts are there
    page.keyboard.press("Control+k")
    page.keyboard.type("by-keys")
    expect(page.get_by_role("option", name="by-keys")).to_be_visible()
    page.keyboard.press("Enter")
    start = page.get_by_role("button", name="Start", exact=True)
    expect(start).to_be_visible()
    for _ in range(30):
        if start.evaluate("button => button === document.activeElement"):
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".head .state")).to_have_text("running")
