"""A person makes a guest on the page: cards, a live preview, errors, keyboard, no scripts."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from deploy.lab_host import LabHost
from deploy.product import Product
from tests.waiting import until


def test_it_is_previewed_while_one_types_and_then_made(
    open_page: Callable[..., Page], kvm: LabHost, product: Product
) -> None:
    page = open_page("/guests/")
    page.get_by_role("link", name="New guest").click()
    page.get_by_role("radio", name="Empty").check()
    expect(page.get_by_label("Image", exact=True)).to_be_hidden()
    page.get_by_label("Name", exact=True).fill("fromthepage")
    page.get_by_label("Memory", exact=True).fill("64 MiB")
    page.get_by_label("vCPUs", exact=True).fill("1")
    page.get_by_label("Disk", exact=True).fill("100 MiB")
    page.get_by_text("Host and firmware").click()
    page.get_by_label("Host", exact=True).select_option(label="kvm")
    panel = page.locator("[data-preview]")
    expect(panel).to_contain_text("fromthepage will be placed on kvm. You chose it.")
    expect(panel).to_contain_text("fromthepage.qcow2 in default, 100 MiB qcow2")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name="Create fromthepage")).to_be_visible()
    expect(page.get_by_text("fromthepage is running on kvm.")).to_be_visible()
    page.get_by_role("link", name="fromthepage").click()
    expect(page.get_by_role("heading", name="fromthepage")).to_be_visible()
    kvm.virsh("destroy", "fromthepage")
    kvm.virsh("undefine", "fromthepage", "--nvram")
    kvm.virsh("vol-delete", "/var/lib/libvirt/images/fromthepage.qcow2")


def test_the_preview_follows_what_is_typed(
    open_page: Callable[..., Page], kvm: LabHost
) -> None:
    page = open_page("/guests/new/")
    page.get_by_role("radio", name="Empty").check()
    page.get_by_label("Name", exact=True).fill("web")
    panel = page.locator("[data-preview]")
    expect(panel).to_contain_text("web")
    page.get_by_label("Memory", exact=True).fill("a bit")
    expect(panel).to_contain_text("Not yet:")
    expect(panel).to_contain_text("is no size")
    page.get_by_label("Memory", exact=True).fill("64 MiB")
    page.get_by_label("Operating system").select_option("http://microsoft.com/win/2k22")
    expect(panel).to_contain_text("64 MiB of memory")
    expect(page.get_by_label("Disk", exact=True)).to_have_attribute(
        "placeholder", "40 GiB"
    )
    page.get_by_text("Why not the others").click()
    page.get_by_label("How many").fill("2")
    expect(panel).to_contain_text("web-01 … web-02")
    expect(panel.locator("details", has_text="Why not")).to_have_attribute("open", "")


def test_errors_stand_at_their_fields_and_nothing_is_lost(
    open_page: Callable[..., Page], kvm: LabHost
) -> None:
    page = open_page("/guests/new/")
    page.get_by_role("radio", name="Empty").check()
    page.get_by_label("Name", exact=True).fill("web")
    page.get_by_label("Memory", exact=True).fill("999999 GiB")
    page.get_by_role("button", name="Create").click()
    memory = page.get_by_label("Memory", exact=True)
    expect(memory).to_have_attribute("aria-invalid", "true")
    expect(memory).to_have_value("999999 GiB")
    expect(page.get_by_text("Give from 4 MiB to 64 TiB.").first).to_be_visible()
    said = open_page.said  # type: ignore[attr-defined]
    said[:] = [line for line in said if "422" not in line]


def test_it_works_by_keyboard_alone(
    open_page: Callable[..., Page], kvm: LabHost
) -> None:
    page = open_page("/guests/new/")
    page.get_by_role("radio", checked=True).focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    chosen = page.evaluate("document.activeElement.value")
    assert chosen in {"image", "iso", "volume", "blank"}
    page.get_by_role("radio", name="Empty").focus()
    page.keyboard.press("Space")
    until(lambda: _tabbed_to(page, "name"), 10, pause=0)
    page.keyboard.type("keys")
    expect(page.locator("[data-preview]")).to_contain_text("keys")
    until(lambda: _tabbed_to(page, "preview"), 10, pause=0)


def _tabbed_to(page: Page, name: str) -> bool:
    page.keyboard.press("Tab")
    return bool(page.evaluate("document.activeElement.name") == name)


def test_it_works_without_scripts(open_page: Callable[..., Page], kvm: LabHost) -> None:
    page = open_page("/guests/new/", java_script_enabled=False)
    page.get_by_role("radio", name="Empty").check()
    expect(page.get_by_label("ISO with virtio drivers")).to_be_visible()
    page.get_by_role("radio", name="An image").check()
    expect(page.get_by_label("ISO with virtio drivers")).to_be_hidden()
    page.get_by_role("radio", name="Empty").check()
    page.get_by_label("Name", exact=True).fill("quiet")
    page.get_by_label("Memory", exact=True).fill("64 MiB")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("[data-preview]")).to_contain_text("quiet will be placed on")
    expect(page.get_by_label("Name", exact=True)).to_have_value("quiet")
