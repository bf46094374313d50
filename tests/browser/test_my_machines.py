"""A user finds their machine, opens its console, extends it and gives it back."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import Browser, Page, expect

from deploy.lab_host import LabHost
from deploy.product import Product
from tests.browser.conftest import sign_in
from tests.waiting import until

WORD = "a long enough word"
MINE, ON, NOT_MINE = "api-02", "api-03", "api-05"  # off, running, somebody else's


@pytest.fixture(scope="module")
def machine(product: Product) -> str:
    """The UUID of mara's machine; she runs machines in a project that extends by rule."""
    said = {"username": "mara", "password": WORD, "role": "user"}
    assert product.call("POST", "users/", said).status == 201
    members = [{"user": "mara", "role": "operator"}]
    body: dict[str, Any] = {"name": "lending", "members": members}
    body["quota"] = {"snapshots": 1}
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
    """The guest of this name is mara's from now on; its UUID."""
    find = f"guests/?search={name}"
    until(lambda: product.call("GET", find).body["count"] == 1)
    uuid = str(product.call("GET", find).body["items"][0]["uuid"])
    given = {"project": project, "owner": "mara"}
    answer = product.call("PATCH", f"guests/{uuid}/", given)
    assert answer.status == 200, answer.body
    return uuid


@pytest.fixture
def mara(product: Product, chromium: Browser, machine: str) -> Iterator[Page]:
    """Her browser, where signing in leads her."""
    context = chromium.new_context(base_url=product.url)
    page = context.new_page()
    sign_in(page, "mara", WORD)
    yield page
    context.close()


def test_from_signing_in_to_giving_it_back(
    product: Product, mara: Page, machine: str
) -> None:
    expect(mara).to_have_url(f"{product.url}/machines/")
    row = mara.get_by_role("row", name=MINE)
    expect(row).to_be_visible()
    expect(mara.get_by_text(NOT_MINE)).to_have_count(0)
    expect(mara.get_by_text("paper")).to_have_count(0)
    mara.get_by_role("link", name=f"Console of {ON}").click()
    expect(mara).to_have_title(f"Console · {ON} · kvmweb")
    mara.goto("/machines/")
    _extended(mara, machine, product)
    _deleted(mara)
    path = f"operations/?guest={machine}&kind=guest.delete"
    assert product.call("GET", path).body["count"] == 1


def _extended(mara: Page, machine: str, product: Product) -> None:
    """By seven days as the rule says, then by three more, then somebody is asked."""
    path = "leases/?search=" + MINE
    before = product.call("GET", path).body["items"][0]["ends_at"]
    mara.get_by_role("button", name=f"Extend {MINE} by 7 days").click()
    expect(mara.get_by_text(f"{MINE} stays until")).to_be_visible()
    mara.goto(f"/machines/{machine}/")
    expect(mara.get_by_label("Extend it by")).to_have_value("3")
    mara.get_by_role("button", name="Extend", exact=True).click()
    expect(mara.get_by_role("link", name="Ask for more time")).to_be_visible()
    assert product.call("GET", path).body["items"][0]["ends_at"] > before


def _deleted(mara: Page) -> None:
    """What is lost is said, and its name is typed."""
    mara.get_by_label("More actions").click()
    mara.get_by_role("link", name="Delete…").click()
    expect(mara.get_by_text("This cannot be undone.")).to_be_visible()
    mara.get_by_label("Its name").fill(MINE)
    mara.get_by_role("button", name=f"Delete {MINE}").click()
    expect(mara.get_by_text(f"{MINE} is being deleted.")).to_be_visible()


@pytest.mark.lab
def test_no_more_snapshots_are_made_than_the_project_lets_one_keep(
    product: Product, mara: Page, guest_of: Callable[..., UUID], kvm: LabHost
) -> None:
    projects = product.call("GET", "projects/?search=lending").body["items"]
    uuid = guest_of("kept", network="", disk_mib=16, running=False)
    _given(product, "kept", projects[0]["id"])
    mara.goto(f"/machines/{uuid}/")
    snapshots = mara.locator("[data-part=snapshots]")
    expect(snapshots).to_contain_text("0 of 1")
    mara.get_by_role("link", name="Keep it as it is now").click()
    another = mara.context.new_page()  # opened while there was room for one
    another.goto(mara.url)
    _keep(mara, "first")
    path = f"operations/?guest={uuid}&kind=guest.snapshot&state=succeeded"
    until(lambda: product.call("GET", path).body["count"] == 1)
    _keep(another, "second")
    expect(another.get_by_role("alert")).to_contain_text(
        "a guest of lending may have 1"
    )
    assert kvm.virsh("snapshot-list", "kept", "--name").split() == ["first"]
    mara.goto(f"/machines/{uuid}/")
    expect(snapshots).to_contain_text("1 of 1")
    expect(mara.get_by_role("link", name="Keep it as it is now")).to_have_count(0)
    mara.get_by_role("link", name="Delete first").click()
    mara.get_by_label("Name of the snapshot").fill("first")
    mara.get_by_role("button", name="Delete first").click()
    until(lambda: not kvm.virsh("snapshot-list", "kept", "--name").split())
    mara.goto(f"/machines/{uuid}/")
    expect(snapshots).to_contain_text("0 of 1")
    expect(mara.get_by_role("link", name="Keep it as it is now")).to_be_visible()


def _keep(page: Page, name: str) -> None:
    """A snapshot is asked for."""
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Make the snapshot").click()
