"""Coming in by an OpenID provider and by a directory, as people do."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from deploy.product import Product
from tests.browser.conftest import Outside, sign_in
from tests.outside.directory import WORD

_IS_FAR = re.compile(r"^(?!http://(localhost|127\.0\.0\.1):)")  # its page asks for more


@pytest.fixture
def page(product: Product, chromium: Browser) -> Iterator[Page]:
    """A browser that nobody signed in with, at the door."""
    context = chromium.new_context(base_url=product.url)
    context.route(_IS_FAR, lambda route: route.abort())
    page = context.new_page()
    page.goto("/login/")
    yield page
    context.close()


@pytest.fixture(scope="module")
def web(product: Product) -> None:
    """The project of the web team."""
    said = product.call("POST", "projects/", {"name": "web", "quota": {"guests": 3}})
    assert said.status == 201, said.body


def _role(product: Product, name: str) -> str:
    """What somebody is here."""
    found = product.call("GET", f"users/?search={name}").body["items"]
    return str(found[0]["role"]) if found else ""


def _by_the_provider(page: Page, subject: str) -> None:
    page.get_by_role("link", name="Sign in with our house").click()
    expect(page.get_by_role("heading", name="Authorize Client")).to_be_visible()
    page.get_by_placeholder("sub").fill(subject)
    page.get_by_role("button", name="Authorize", exact=True).click()


@pytest.mark.usefixtures("web")
def test_somebody_new_comes_by_the_provider_and_finds_their_project(
    page: Page, outside: Outside, product: Product
) -> None:
    outside.provider.know("n-1", preferred_username="Nina", groups=["web-team"])
    page.goto("/projects/")
    _by_the_provider(page, "n-1")
    expect(page).to_have_url(f"{product.url}/projects/")  # where she wanted to go
    expect(page.get_by_role("link", name="web", exact=True)).to_be_visible()
    assert _role(product, "nina") == "user"
    page.goto("/account/outside/")
    expect(page.get_by_text("our house").first).to_be_visible()
    page.get_by_label("nina: account and theme").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_who_says_no_there_is_told_here_and_can_go_on(
    page: Page, product: Product
) -> None:
    page.get_by_role("link", name="Sign in with our house").click()
    page.get_by_role("button", name="Deny").click()
    expect(page.get_by_text("The provider did not let you in.")).to_be_visible()
    assert page.url.startswith(product.url)
    page.get_by_role("link", name="Sign in").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


@pytest.mark.usefixtures("web")
def test_somebody_of_the_directory_signs_in_with_the_form(
    page: Page, product: Product
) -> None:
    page.get_by_label("User name").fill("lena-of-the-directory")
    page.get_by_label("Password").fill(WORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("wrong")
    sign_in(page, "lena", WORD)
    assert _role(product, "lena") == "operator"
    main = page.get_by_role("navigation", name="Main")
    expect(main.get_by_role("link", name=re.compile("Hosts"))).to_be_visible()
