"""Folders beside the list of guests, by mouse, keyboard and phone; views of the list."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from deploy.product import Product
from tests.browser.test_every_page import AXE, VIEWS, look
from tests.waiting import until

OpenPage = Callable[..., Page]


@pytest.fixture
def tags(product: Product) -> Iterator[Callable[[str], list[str]]]:
    """Some guests lie in folders; asked with a name it says that guest's tags."""
    until(lambda: product.call("GET", "guests/?search=build").body["count"] == 15)
    said = product.call("GET", "guests/?search=build&limit=100").body["items"]
    uuids = {it["name"]: it["uuid"] for it in said}
    for number, folder in enumerate(("shop/prod/eu", "shop/test", "lab")):
        guests = [uuids[f"build-{number * 3 + each}"] for each in range(3)]
        product.call("POST", "folders/move/", {"guests": guests, "to": folder})
    yield lambda name: list(product.call("GET", f"guests/{uuids[name]}/").body["tags"])
    for uuid in uuids.values():
        product.call("PATCH", f"guests/{uuid}/", {"tags": []})
    for view in product.call("GET", "views/").body["items"]:
        product.call("DELETE", f"views/{view['id']}/")


def names(page: Page) -> list[str]:
    """The guests of the list."""
    return page.locator("tr[data-guest] a.name").all_inner_texts()


def test_a_click_narrows_and_a_dragged_guest_moves(
    open_page: OpenPage, tags: Callable[[str], list[str]]
) -> None:
    page = open_page("/guests/")
    tree = page.get_by_role("navigation", name="Folders")
    tree.get_by_role("link", name="shop").click()
    expect(page).to_have_url("/guests/?folder=shop")
    expect(page.locator("tr[data-guest]")).to_have_count(6)
    tree.get_by_role("link", name="prod").click()
    expect(page.locator("tr[data-guest]")).to_have_count(3)
    lab = tree.get_by_role("link", name="lab")
    page.locator("tr[data-guest] a.name").first.drag_to(lab)
    expect(page.locator("tr[data-guest]")).to_have_count(2)
    expect(lab.locator("small")).to_contain_text("/4")
    assert tags("build-0") == ["lab"]
    page.get_by_label("Select build-1").check()
    page.get_by_label("Select build-2").check()
    page.get_by_role("link", name="build-2", exact=True).drag_to(lab)
    expect(page.get_by_text("No guest fits these filters")).to_be_visible()
    assert tags("build-1") == ["lab"]


def test_by_keyboard_alone_a_guest_is_chosen_and_put_into_a_folder(
    open_page: OpenPage, tags: Callable[[str], list[str]]
) -> None:
    page = open_page("/guests/")
    shop = page.locator('[data-drop-folder="shop"]')
    shop.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    expect(page.locator('[data-drop-folder="shop/prod"]')).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(shop).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(page.locator('[data-drop-folder="lab"]')).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url("/guests/?folder=lab")
    page.get_by_label("Select build-7").focus()
    page.keyboard.press("ArrowUp")
    expect(page.get_by_label("Select build-6")).to_be_focused()
    page.keyboard.press("Space")
    page.locator("[data-folder-menu] > summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Put into the folder")).to_be_focused()
    page.keyboard.type("shop/test/new")
    page.keyboard.press("Enter")
    expect(page.locator("tr[data-guest]")).to_have_count(2)
    assert tags("build-6") == ["shop/test/new"]
    expect(page.locator('[data-drop-folder="shop/test/new"]')).to_have_count(1)


def test_on_a_phone_the_folders_are_a_select(
    open_page: OpenPage, tags: Callable[[str], list[str]]
) -> None:
    phone = {"width": 390, "height": 800}
    page = open_page("/guests/?sort=-name", viewport=phone)
    expect(page.get_by_role("navigation", name="Folders")).to_be_hidden()
    page.get_by_label("Folder", exact=True).select_option("shop/prod")
    expect(page.locator("tr[data-guest]")).to_have_count(3)
    assert "folder=shop%2Fprod" in page.url
    assert "sort=-name" in page.url


def test_a_view_is_kept_opened_and_made_dense(
    open_page: OpenPage, tags: Callable[[str], list[str]]
) -> None:
    page = open_page("/guests/?folder=shop&sort=-name")
    page.get_by_text("View", exact=True).click()
    page.get_by_label("Keep this list as a view").fill("The shop")
    page.get_by_role("button", name="Keep it").click()
    tab = page.get_by_role("link", name="The shop")
    expect(tab).to_have_attribute("aria-current", "page")
    assert names(page)[0] == "build-5"
    row = page.locator("tr[data-guest]").first
    assert round(row.bounding_box()["height"]) == 40  # type: ignore[index]
    page.get_by_text("View", exact=True).click()
    page.get_by_role("button", name="Dense rows").click()
    expect(page.locator("[data-part=list].dense")).to_be_visible()
    assert round(row.bounding_box()["height"]) == 32  # type: ignore[index]
    page.get_by_text("View", exact=True).click()
    page.get_by_label("Network").uncheck()
    page.get_by_role("button", name="Show these columns").click()
    expect(page.get_by_role("columnheader", name="Network")).to_have_count(0)
    page.get_by_role("link", name="All guests", exact=True).first.click()
    expect(page.locator("[data-part=list].dense")).to_have_count(0)
    tab.click()
    expect(page.locator("[data-part=list].dense")).to_be_visible()


def test_pages_of_folders_are_readable_and_fit(
    open_page: OpenPage, product: Product, tags: Callable[[str], list[str]]
) -> None:
    limit: dict[str, Any] = product.call(
        "POST", "folders/", {"path": "shop", "guests": 5, "memory_bytes": 2**35}
    ).body
    page = open_page("/")
    wrong = []
    for path in (
        "/guests/?folder=shop/prod",
        "/guests/folders/",
        "/guests/folders/limit/",
        f"/guests/folders/{limit['id']}/",
        "/guests/folders/rename/?folder=shop",
    ):
        page.goto(path)
        page.evaluate(AXE)
        for width, scheme, rules in VIEWS:
            found = look(page, width, scheme, rules)
            wrong += [f"{path} {width} {scheme} {it}" for it in found]
    product.call("DELETE", f"folders/{limit['id']}/")
    assert not wrong, "\n".join(wrong)
