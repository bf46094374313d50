"""Somebody asks for a machine, another decides, it runs on a real host, and is given back."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from deploy.lab_host import LabHost
from deploy.product import PASSWORD, Product
from tests.browser.conftest import sign_in
from tests.waiting import until

MIB = 1024**2


@pytest.fixture
def project(product: Product, kvm: LabHost) -> int:
    """A project where mira asks and otis decides, and a size that the real host can take."""
    for name in ("mira", "otis"):
        body = {"username": name, "password": PASSWORD, "role": "user"}
        assert product.call("POST", "users/", body).status == 201
    flavor = {"name": "tiny", "vcpus": 1, "memory_bytes": 64 * MIB}
    flavor |= {"disk_bytes": 64 * MIB, "note": "To try things."}
    said = product.call("POST", "flavors/", flavor)
    assert said.status == 201, said.body
    people = [{"user": "mira", "role": "operator"}, {"user": "otis", "role": "owner"}]
    hosts = product.call("GET", "hosts/").body["items"]
    (real,) = [host["id"] for host in hosts if host["name"] == "kvm"]
    product.call("PATCH", f"hosts/{real}/", {"tags": ["real"]})
    body: dict[str, Any] = {"name": "asking", "quota": {"guests": 2}, "members": people}
    body["scope"] = {"host_tags": ["real"]}
    said = product.call("POST", "projects/", body)
    assert said.status == 201, said.body
    project = int(said.body["id"])
    rule = {"extend_days": 7, "extend_most_days": 14, "keeps_days": 3}
    assert product.call("PUT", f"projects/{project}/lease-rule/", rule).status == 200
    return project


def test_asked_approved_used_and_given_back(
    open_page: Callable[..., Page], kvm: LabHost, project: int
) -> None:
    mira = open_page("/login/", storage_state=None)
    sign_in(mira, "mira")
    _ask(mira)
    otis = open_page("/login/", storage_state=None)
    sign_in(otis, "otis")
    _approve(otis)
    expect(mira.get_by_text("otis: Have fun")).to_be_visible()  # it comes by itself
    mira.get_by_role("link", name="Open the machine").click()
    until(lambda: kvm.virsh("domstate", "for-mira") == "running")
    otis.goto(f"/projects/{project}/")
    expect(otis.get_by_text("1 left of 2")).to_be_visible()
    _use(mira)
    _give_back(mira)
    until(lambda: "for-mira" not in kvm.virsh("list", "--all", "--name").split())
    until(lambda: "for-mira" not in kvm.virsh("vol-list", "default"))
    expect(otis.get_by_text("2 left of 2")).to_be_visible()  # this, too


def _use(page: Page) -> None:
    """It runs; its screen is there, and it stays some days longer."""
    machine = page.url
    expect(
        page.locator("[data-part=head]").get_by_text("running", exact=True)
    ).to_be_visible()
    page.get_by_role("link", name="Console", exact=True).click()
    expect(page.get_by_text("Connected to for-mira.")).to_be_visible()
    page.goto(machine)
    page.get_by_role("button", name="Extend", exact=True).click()
    expect(page.get_by_text("for-mira stays until")).to_be_visible()


def _give_back(page: Page) -> None:
    """Off, and deleted with its disk."""
    page.get_by_label("More actions").click()
    page.get_by_role("button", name="Force off").click()
    page.get_by_role("button", name=re.compile("^Force off")).last.click()
    expect(
        page.locator("[data-part=head]").get_by_text("off", exact=True)
    ).to_be_visible()
    page.get_by_label("More actions").click()
    page.get_by_role("link", name="Delete…").click()
    expect(page.get_by_text("for-mira.qcow2")).to_be_visible()
    page.get_by_label("Its name").fill("for-mira")
    page.get_by_role("button", name="Delete for-mira").click()
    expect(page.get_by_text("for-mira is being deleted.")).to_be_visible()


def _ask(page: Page) -> None:
    page.goto("/requests/")
    page.get_by_role("link", name="Ask for a machine").first.click()
    page.get_by_label("What is it for?").fill("A trial")
    page.get_by_role("radio", name=re.compile("tiny")).check()
    page.get_by_label("Name", exact=True).fill("for-mira")
    panel = page.locator("[data-preview]")
    expect(panel).to_contain_text("Somebody who decides for asking will look at it")
    expect(page.get_by_text("2 left of 2")).to_be_visible()
    page.get_by_role("button", name="Ask for it").click()
    expect(page.get_by_role("heading", name="for-mira")).to_be_visible()
    expect(page.get_by_text("pending").first).to_be_visible()


def _approve(page: Page) -> None:
    page.goto("/requests/")
    page.get_by_role("link", name="for-mira").click()
    expect(page.get_by_text("Yes, there is room for it now.")).to_be_visible()
    page.get_by_label("Note").fill("Have fun")
    page.get_by_role("button", name="Approve", exact=True).click()
