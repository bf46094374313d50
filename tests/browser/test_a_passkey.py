"""A person adds a passkey and signs in with it, with a key that the browser simulates."""

from playwright.sync_api import Browser, Page, expect

from deploy.product import Product
from tests.browser.conftest import sign_in

WORD = "a long enough word"


def _page(product: Product, chromium: Browser) -> Page:
    """A browser with a key in it, at the panel's name: numbers have no passkeys."""
    named = product.url.replace("127.0.0.1", "localhost")
    page = chromium.new_context(base_url=named).new_page()
    wire = page.context.new_cdp_session(page)
    wire.send("WebAuthn.enable")
    key = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    wire.send("WebAuthn.addVirtualAuthenticator", {"options": key})
    return page


def _add(page: Page) -> None:
    page.goto("/account/second/")
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_label("Name").fill("this browser")
    page.get_by_role("button", name="Add it").click()
    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_role("cell", name="this browser", exact=True)).to_be_visible()


def _show_the_password(page: Page) -> None:
    page.get_by_label("paula: account and theme").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("User name").fill("paula")
    page.get_by_label("Password").fill(WORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="Second step")).to_be_visible()


def test_a_passkey_is_added_and_asked_for_from_then_on(
    product: Product, chromium: Browser
) -> None:
    said = {"username": "paula", "password": WORD, "role": "user"}
    assert product.call("POST", "users/", said).status in {201, 409}
    page = _page(product, chromium)
    refused: list[str] = []
    page.on("console", lambda m: m.type == "error" and refused.append(m.text))
    sign_in(page, "paula", WORD)
    _add(page)
    _show_the_password(page)
    page.goto("/account/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.goto("/login/second/")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()
    page.goto("/account/sessions/")
    expect(page.get_by_text("this one")).to_be_visible()
    assert refused == []
    page.context.close()
