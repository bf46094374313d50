"""A user finds their machine, opens its console, extends it and gives it back."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from deploy.product import Product
from tests.browser.conftest import sign_in
from tests.waiting import until

WORD = "a long enough word"
MINE, ON, NOT_MINE = "api-02", "api-03", "api-05"  # off, running, somebody else's


@pytest.fixture(scope="module")
def machine(product: Product) -> str:
    """The UUID of lena's machine; she runs machines in a project that extends by rule."""
    said = {"username": "lena", "password": WORD, "role": "user"}
    assert product.call("POST", "users/", said).status == 201
    members = [{"user": "lena", "role": "operator"}]
    body: dict[str, Any] = {"name": "lending", "quota": {}, "members": members}
    project = product.call("POST", "projects/", body).body["id"]
    rule = {"extend_days": 7, "extend_most_days": 10, "keeps_days": 3}
    path = f"projects/{project}/lease-rule/"
    assert product.call("PUT", path, rule).status == 200
    _given(product, ON, project)
    uuid = _given(product, MINE, project)
    lent = product.call("POST", "leases/", {"guest": uuid, "days": 5})
    assert lent.status == 201, lent.body
    return uuid


def _given(product: Product, name: str, project: int) -> str:
    """The guest of this name is lena's from now on; its UUID."""
    find = f"guests/?search={name}"
    until(lambda: product.call("GET", find).body["count"] == 1)
    uuid = str(product.call("GET", find).body["items"][0]["uuid"])
    given = {"project": project, "owner": "lena"}
    answer = product.call("PATCH", f"guests/{uuid}/", given)
    assert answer.status == 200, answer.body
    return uuid


@pytest.fixture
def lena(product: Product, chromium: Browser, machine: str) -> Iterator[Page]:
    """Her browser, where signing in leads her."""
    context = chromium.new_context(base_url=product.url)
    page = context.new_page()
    sign_in(page, "lena", WORD)
    yield page
    context.close()


def test_from_signing_in_to_giving_it_back(
    product: Product, lena: Page, machine: str
) -> None:
    expect(lena).to_have_url(f"{product.url}/machines/")
    row = lena.get_by_role("row", name=MINE)
    expect(row).to_be_visible()
    expect(lena.get_by_text(NOT_MINE)).to_have_count(0)
    expect(lena.get_by_text("paper")).to_have_count(0)
    lena.get_by_role("link", name=f"Console of {ON}").click()
    expect(lena).to_have_title(f"Console · {ON} · kvmweb")
    lena.goto("/machines/")
    _extended(lena, machine, product)
    _deleted(lena)
    path = f"operations/?guest={machine}&kind=guest.delete"
    assert product.call("GET", path).body["count"] == 1


def _extended(lena: Page, machine: str, product: Product) -> None:
    """By seven days as the rule says, then by three more, then somebody is asked."""
    path = "leases/?search=" + MINE
    before = product.call("GET", path).body["items"][0]["ends_at"]
    lena.get_by_role("button", name=f"Extend {MINE} by 7 days").click()
    expect(lena.get_by_text(f"{MINE} stays until")).to_be_visible()
    lena.goto(f"/machines/{machine}/")
    expect(lena.get_by_label("Extend it by")).to_have_value("3")
    lena.get_by_role("button", name="Extend", exact=True).click()
    expect(lena.get_by_role("link", name="Ask for more time")).to_be_visible()
    assert product.call("GET", path).body["items"][0]["ends_at"] > before


def _deleted(lena: Page) -> None:
    """What is lost is said, and its name is typed."""
    lena.get_by_label("More actions").click()
    lena.get_by_role("link", name="Delete…").click()
    expect(lena.get_by_text("This cannot be undone.")).to_be_visible()
    lena.get_by_label("Its name").fill(MINE)
    lena.get_by_role("button", name=f"Delete {MINE}").click()
    expect(lena.get_by_text(f"{MINE} is being deleted.")).to_be_visible()
