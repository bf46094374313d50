"""An admin makes a project; its member sees what is used; nobody else sees anything."""

from collections.abc import Callable

from playwright.sync_api import Browser, Page, expect

from deploy.product import Product
from tests.browser.conftest import sign_in

WORD = "a long enough word"


def _person(product: Product, name: str) -> None:
    said = {"username": name, "password": WORD, "role": "user"}
    assert product.call("POST", "users/", said).status in {201, 409}


def _member(product: Product, chromium: Browser, name: str) -> Page:
    page = chromium.new_context(base_url=product.url).new_page()
    sign_in(page, name, WORD)
    return page


def _made(page: Page, member: str) -> None:
    """A project, by the form, with somebody in it."""
    page.get_by_label("Name").fill("web-shop")
    page.get_by_label("What it is for").fill("What sells.")
    page.get_by_label("Guests").fill("4")
    limits = page.get_by_role("group", name="All of it together")
    limits.get_by_label("Memory").fill("16 GiB")
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_role("heading", name="web-shop")).to_be_visible()
    page.get_by_label("User name").fill(member)
    page.get_by_label("Role").select_option("operator")
    page.get_by_role("button", name="Let them in").click()
    remove = page.get_by_role("button", name=f"Remove {member} from web-shop")
    expect(remove).to_be_visible()


def test_a_member_sees_the_quota_and_a_stranger_nothing(
    product: Product, chromium: Browser, open_page: Callable[..., Page]
) -> None:
    for name in ("mia", "stan"):
        _person(product, name)
    page = open_page("/projects/new/")
    _made(page, "mia")
    path = page.url.removeprefix(product.url)
    mia = _member(product, chromium, "mia")
    mia.get_by_role("link", name="Projects").click()
    mia.get_by_role("link", name="web-shop").click()
    quota = mia.get_by_role("region", name="Used, reserved, left")
    expect(quota).to_contain_text("4 left of 4")
    expect(quota).to_contain_text("16 GiB left of 16 GiB")
    expect(mia.get_by_role("button", name="Let them in")).to_be_hidden()
    _grows_by_itself(product, mia, path)
    stan = _member(product, chromium, "stan")
    answer = stan.goto(path)
    assert answer
    assert answer.status == 404
    assert "web-shop" not in stan.content()
    stan.goto("/projects/")
    expect(
        stan.get_by_role("heading", name="You are in no project yet")
    ).to_be_visible()
    for each in (mia, stan):
        each.context.close()


def _grows_by_itself(product: Product, page: Page, path: str) -> None:
    """An admin gives more, and the open page says so."""
    expect(page.locator("[data-live=live]")).to_have_count(1)
    project = path.strip("/").rpartition("/")[2]
    wish = {"quota": {"guests": 7}}
    assert product.call("PATCH", f"projects/{project}/", wish).status == 200
    quota = page.get_by_role("region", name="Used, reserved, left")
    expect(quota).to_contain_text("7 left of 7")
