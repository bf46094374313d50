"""The README's pictures of self-service: people who ask, and somebody who decides."""

import time
from typing import Any

from playwright.sync_api import Browser, Page

from deploy.places import ROOT
from deploy.product import PASSWORD, Product

PICTURES = ROOT / "docs/pictures"
MIB, GIB = 1024**2, 1024**3
_PEOPLE = ("mira", "otis", "jana")
_FLAVORS: tuple[dict[str, Any], ...] = (
    {"name": "tiny", "note": "To try something.", "vcpus": 1, "memory_bytes": 64 * MIB},
    {"name": "small", "note": "A web site.", "vcpus": 1, "memory_bytes": 128 * MIB},
    {
        "name": "large",
        "note": "To build things.",
        "vcpus": 2,
        "memory_bytes": 256 * MIB,
    },
)
_ASKED = (
    ("mira", "tiny", "trial", "Trying the new release", 14),
    ("jana", "small", "handbook", "The handbook for the summer school", 90),
    ("mira", "large", "builds", "Nightly builds until the release", 30),
)


def take(browser: Browser, product: Product) -> None:
    """A project's page and the inbox of who decides; one's own machines, and the form."""
    project = _project(product)
    for request in _asked(product, project)[:1]:
        _approved(product, request)
    deciding = _signed_in(browser, product, "otis")
    _picture(deciding, product, "inbox", "/requests/")
    _picture(deciding, product, "project", f"/projects/{project}/")
    asking = _signed_in(browser, product, "mira")
    _picture(asking, product, "machines", "/machines/")
    _picture(asking, product, "request", "/requests/new/")


def _project(product: Product) -> int:
    for name in _PEOPLE:
        person = {"username": name, "password": PASSWORD, "role": "user"}
        _made(product, "users/", person)
    for flavor in _FLAVORS:
        _made(product, "flavors/", {**flavor, "disk_bytes": 64 * MIB})
    roles = {"mira": "operator", "otis": "owner", "jana": "operator"}
    body: dict[str, Any] = {
        "name": "summer-school",
        "note": "Machines for the courses",
        "quota": {"guests": 6, "vcpus": 8, "memory_bytes": GIB, "disk_bytes": GIB},
        "members": [{"user": user, "role": role} for user, role in roles.items()],
    }
    return int(_made(product, "projects/", body)["id"])


def _asked(product: Product, project: int) -> list[int]:
    tokens = {name: product.manage("create_token", name) for name in _PEOPLE}
    return [
        _made(
            product,
            "requests/",
            {
                "project": project,
                "flavor": flavor,
                "name": name,
                "reason": reason,
                "lease_days": days,
            },
            tokens[user],
        )["id"]
        for user, flavor, name, reason, days in _ASKED
    ]


def _approved(product: Product, request: int) -> None:
    """And made, soon. Raises TimeoutError."""
    _made(product, f"requests/{request}/approve/", {"note": "Have fun."})
    deadline = time.monotonic() + 60
    while product.call("GET", f"requests/{request}/").body["state"] != "ready":
        if time.monotonic() > deadline:
            raise TimeoutError("What was approved is not made.")
        time.sleep(0.2)


def _made(
    product: Product, path: str, body: dict[str, Any], token: str | None = None
) -> Any:
    said = product.call("POST", path, body, token=token)
    if said.status >= 300:
        raise RuntimeError(f"{path} was refused: {said.body}")
    return said.body


def _signed_in(browser: Browser, product: Product, name: str) -> Page:
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.goto(f"{product.url}/login/")
    page.get_by_label("Username").or_(page.get_by_label("User name")).fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/login/" not in url)
    return page


def _picture(page: Page, product: Product, name: str, path: str) -> None:
    page.goto(f"{product.url}{path}")
    time.sleep(2)
    page.screenshot(path=PICTURES / f"{name}.png")
