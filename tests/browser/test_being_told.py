"""The bell: what happened reaches an open page, and leads to the thing it is about."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from deploy.product import PASSWORD, Product
from tests.browser.conftest import sign_in

OpenPage = Callable[..., Page]
ASK = """async (body) => {
  const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
  const answer = await fetch("/api/v1/requests/", {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRFToken": token },
    body: JSON.stringify(body),
  });
  return answer.status;
}"""


@pytest.fixture(scope="module")
def bells(product: Product) -> str:
    """A project where nora asks and olaf decides, and a size; its name."""
    for name in ("nora", "olaf"):
        body = {"username": name, "password": PASSWORD, "role": "user"}
        assert product.call("POST", "users/", body).status == 201
    gib = 1024**3
    flavor = {"name": "for-bells", "vcpus": 1, "memory_bytes": gib, "disk_bytes": gib}
    assert product.call("POST", "flavors/", flavor).status == 201
    people = [{"user": "nora", "role": "operator"}, {"user": "olaf", "role": "owner"}]
    body: dict[str, Any] = {"name": "bells", "quota": {"guests": 9}, "members": people}
    assert product.call("POST", "projects/", body).status == 201
    return "bells"


@pytest.fixture
def nora(open_page: OpenPage, bells: str) -> Page:
    """Her browser."""
    page = open_page("/login/", storage_state=None)
    sign_in(page, "nora")
    return page


@pytest.fixture
def olaf(open_page: OpenPage, bells: str) -> Page:
    """His browser, where nothing is new."""
    page = open_page("/login/", storage_state=None)
    sign_in(page, "olaf")
    page.goto("/notices/")
    page.get_by_role("button", name="Mark all read").click()
    expect(page.get_by_role("button", name="Notices", exact=True)).to_be_visible()
    return page


def asked(page: Page, name: str) -> None:
    """Ask for a machine of this name, behind the page's back."""
    body: dict[str, Any] = {"project": "bells", "name": name, "flavor": "for-bells"}
    body |= {"reason": "To ring.", "lease_days": 3}
    assert page.evaluate(ASK, body) == 201


def test_who_decides_hears_of_it_at_once_and_is_led_there(
    olaf: Page, nora: Page
) -> None:
    asked(nora, "ring")
    bell = olaf.get_by_role("button", name="Notices: 1 new")
    expect(bell).to_be_visible()
    expect(bell.locator("[data-unread]")).to_have_text("1")
    said = "nora asks for the machine ring"
    expect(olaf.get_by_role("status").filter(has_text=said)).to_be_visible()
    bell.click()
    drawer = olaf.get_by_role("complementary", name="Notices")
    expect(drawer.get_by_role("heading", name="Notices")).to_be_visible()
    drawer.get_by_role("button", name=said).click()
    expect(olaf.get_by_role("heading", name="ring")).to_be_visible()
    expect(olaf.get_by_role("button", name="Notices", exact=True)).to_be_visible()
    olaf.get_by_label("Note").fill("Not today")
    olaf.get_by_role("button", name="Reject").click()
    expect(nora.get_by_role("button", name="Notices: 1 new")).to_be_visible()
    nora.get_by_role("button", name="Notices: 1 new").click()
    theirs = nora.get_by_role("complementary", name="Notices")
    expect(theirs.get_by_text("The machine ring is rejected")).to_be_visible()
    expect(theirs.get_by_text("Not today")).to_be_visible()


def test_one_panel_is_open_at_a_time_and_the_keyboard_shuts_it(
    olaf: Page, nora: Page
) -> None:
    bell = olaf.locator("[data-bell]")
    running = olaf.locator("[data-drawer]")
    notices = olaf.get_by_role("complementary", name="Notices")
    operations = olaf.get_by_role("complementary", name="Operations")
    bell.focus()
    olaf.keyboard.press("Space")
    expect(notices).to_be_visible()
    expect(bell).to_have_attribute("aria-expanded", "true")
    running.click()
    expect(operations).to_be_visible()
    expect(notices).to_be_hidden()
    expect(bell).to_have_attribute("aria-expanded", "false")
    olaf.keyboard.press("Escape")
    expect(operations).to_be_hidden()
    expect(running).to_be_focused()
    bell.click()
    asked(nora, "chime")  # while it is open
    expect(notices.get_by_text("nora asks for the machine chime")).to_be_visible()
    expect(notices.get_by_role("button", name="Close")).to_be_visible()
