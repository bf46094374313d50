"""A person at a browser, before the whole product with a real host and many guests."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from deploy import browser
from deploy import lab as labs
from deploy.lab import Lab
from deploy.lab_host import LabHost
from deploy.product import PASSWORD, Product, free_port
from tests import ending
from tests.browser.paper import many_guests
from tests.outside import directory, openid
from tests.outside.openid import Provider
from tests.waiting import until

WAIT_MS = 30000
expect.set_options(timeout=WAIT_MS)


@dataclass(frozen=True, slots=True)
class Outside:
    """A provider and a directory that vouch for people, and the product told of them."""

    provider: Provider
    port: int
    settings: dict[str, str]


@pytest.fixture(scope="session")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    """Both run; what the product that uses them is started with."""
    port = free_port()
    with (
        openid.provider(f"http://127.0.0.1:{port}") as provider,
        directory.directory(tmp_path_factory.mktemp("slapd")) as ldap,
    ):
        settings = {
            "OIDC_ISSUER": provider.issuer,
            "OIDC_CLIENT_ID": provider.client["client_id"],
            "OIDC_CLIENT_SECRET": provider.client["client_secret"],
            "OIDC_NAME": "our house",
            "LDAP_URL": f"ldap://{directory.NEAR}:{ldap}",
            "LDAP_BIND_DN": directory.READER,
            "LDAP_BIND_PASSWORD": directory.READS,
            "LDAP_USER_BASE": directory.PEOPLE,
            "LDAP_GROUP_BASE": directory.GROUPS,
            "GROUPS": "vm-admins=operator, web-team=project:web:operator",
        }
        named = {f"KVMWEB_{name}": value for name, value in settings.items()}
        yield Outside(provider, port, named)


@pytest.fixture(scope="session")
def product(
    tmp_path_factory: pytest.TempPathFactory, outside: Outside
) -> Iterator[Product]:
    """Everything `make run` starts, with a host of libvirt's test driver."""
    paper = tmp_path_factory.mktemp("paper") / "node.xml"
    paper.write_text(many_guests())
    # Short: a Unix socket's path has 107 bytes.
    folder = Path("/tmp", f"kvmweb-browser-{os.getpid()}")
    with Product(folder, port=outside.port, **outside.settings) as started:
        ending.with_the_group(started.stop)
        add_host(started, name="paper", transport="test", socket_path=str(paper))
        yield started


def add_host(product: Product, **said: str) -> int:
    """Add a host and wait until it is up; its id."""
    reply = product.call("POST", "hosts/", said)
    assert reply.status == 201, reply.body
    path = f"hosts/{reply.body['id']}/"
    until(lambda: product.call("GET", path).body["state"] == "up")
    return int(reply.body["id"])


@pytest.fixture(scope="session")
def kvm(product: Product) -> Iterator[LabHost]:
    """A real host of that product."""
    if os.geteuid() != 0:
        pytest.fail("The lab makes network namespaces: run 'make test' as root.")
    labs.remove_left_behind("kb")
    folder = Path("/tmp", f"kvmweb-kb-{os.getpid()}")
    with Lab(folder, f"kb{os.getpid() % 10**7}", hosts=1) as lab:
        ending.with_the_group(lab.stop)
        host = lab.hosts[0]
        add_host(
            product,
            name="kvm",
            transport="unix",
            socket_path=str(host.socket_path),
            virt_type="qemu",
        )
        yield host


@pytest.fixture
def guest_of(product: Product, kvm: LabHost) -> Iterator[Callable[..., UUID]]:
    """Makes guests on the real host, known to the product; they go with the test."""
    made: list[str] = []

    def make(name: str, **wishes: Any) -> UUID:
        uuid = kvm.define_demo(name, **wishes)
        made.append(name)
        until(lambda: product.call("GET", f"guests/{uuid}/").status == 200)
        return uuid

    yield make
    for name in made:
        if "running" in kvm.virsh("domstate", "--domain", name):
            kvm.virsh("destroy", "--domain", name)
        kvm.virsh("undefine", "--domain", name, "--snapshots-metadata")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One Chromium; not longer than a module, for it keeps an event loop running."""
    with browser.started() as started:
        yield started


@pytest.fixture(scope="module")
def signed_in(product: Product, chromium: Browser) -> object:
    """The cookies of the admin."""
    context = chromium.new_context(base_url=product.url)
    sign_in(context.new_page())
    state = context.storage_state()
    context.close()
    return state


def sign_in(page: Page, username: str = "admin", password: str = PASSWORD) -> None:
    """By the form, as a person does."""
    page.goto("/login/")
    page.get_by_label("User name").fill(username)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()


@pytest.fixture
def open_page(
    product: Product, chromium: Browser, signed_in: dict[str, object]
) -> Iterator[Callable[..., Page]]:
    """Opens pages as the admin; whatever one writes to its console fails the test."""
    contexts: list[BrowserContext] = []
    said: list[str] = []

    def make(path: str = "/", **wishes: object) -> Page:
        settings = {"storage_state": signed_in, "base_url": product.url, **wishes}
        context = chromium.new_context(**settings)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.on("console", lambda m: m.type == "error" and said.append(m.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(path)
        while any("NETWORK_CHANGED" in line for line in said):
            said.clear()  # a lab's interfaces came or went: Chromium drops requests
            page.goto(path)
        return page

    make.said = said  # type: ignore[attr-defined]  # for tests that break things
    yield make
    for context in contexts:
        context.close()
    assert not said, said
