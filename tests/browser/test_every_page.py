"""What holds for every page: readable by all, quiet, and never wider than a phone."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from deploy.places import ROOT
from deploy.product import Product
from tests.browser.paper import HOSTILE
from tests.waiting import until

AXE = Path(ROOT, "node_modules/axe-core/axe.min.js").read_text()
PAGES = [
    "/",
    "/guests/",
    "/guests/?state=shutoff&sort=-name",
    "/guests/?search=nothing-is-called-so",
    "/guests/folders/",
    "/guests/folders/limit/",
    "/guests/folders/rename/?folder=web",
    "/guests/new/",
    "/guests/moves/",
    "/moves/",
    "/moves/report/",
    "/moves/canary/",
    "/guests/UUID/move/",
    "/guests/UUID/",
    "/guests/UUID/#hardware",
    "/guests/UUID/#disks",
    "/guests/UUID/#network",
    "/guests/UUID/#history",
    "/guests/UUID/#snapshots",
    "/guests/UUID/snapshots/new/",
    "/guests/UUID/snapshots/before-it/revert/",
    "/guests/UUID/snapshots/before-it/delete/",
    "/guests/UUID/clone/",
    "/guests/UUID/#operations",
    "/guests/UUID/edit/",
    "/guests/UUID/hardware/",
    "/guests/UUID/disks/new/",
    "/guests/UUID/disks/vda/",
    "/guests/UUID/disks/vda/remove/",
    "/guests/UUID/cdrom/",
    "/guests/UUID/nics/new/",
    "/guests/UUID/host-devices/",
    "/guests/UUID/xml/",
    "/guests/UUID/revisions/1/",
    "/guests/UUID/delete/",
    "/guests/UUID/set-password/",
    "/guests/UUID/ssh-keys/",
    "/guests/UUID/console/",
    "/machines/",
    "/machines/UUID/",
    "/machines/UUID/extend/",
    "/machines/UUID/delete/",
    "/leases/",
    "/leases/rules/",
    "/hosts/",
    "/hosts/HOST/",
    "/hosts/HOST/#guests",
    "/hosts/HOST/#storage",
    "/hosts/HOST/#networks",
    "/hosts/HOST/#check",
    "/hosts/HOST/edit/",
    "/hosts/HOST/drain/",
    "/balance/",
    "/hosts/HOST/networks/new/",
    "/hosts/HOST/pools/new/",
    "/pools/POOL/",
    "/pools/POOL/?state=unused&sort=-capacity_bytes",
    "/pools/POOL/delete/",
    "/pools/POOL/upload/",
    "/pools/POOL/volumes/new/",
    "/volumes/VOLUME/",
    "/volumes/VOLUME/grow/",
    "/volumes/VOLUME/clone/",
    "/volumes/VOLUME/fetch/",
    "/volumes/VOLUME/delete/",
    "/networks/NETWORK/",
    "/networks/NETWORK/edit/",
    "/networks/NETWORK/delete/",
    "/hosts/HOST/delete/",
    "/hosts/new/",
    "/images/",
    "/images/new/",
    "/images/upload/",
    "/projects/",
    "/projects/new/",
    "/projects/PROJECT/",
    "/projects/PROJECT/edit/",
    "/projects/PROJECT/delete/",
    "/flavors/",
    "/flavors/new/",
    "/flavors/FLAVOR/edit/",
    "/catalogue/",
    "/catalogue/?project=PROJECT",
    "/requests/",
    "/requests/new/",
    "/requests/new/?project=PROJECT",
    "/requests/REQUEST/",
    "/requests/REQUEST/edit/",
    "/requests/rules/",
    "/requests/rules/new/",
    "/account/keys/",
    "/operations/",
    "/operations/OPERATION/",
    "/audit/",
    "/users/",
    "/users/new/",
    "/account/",
    "/account/second/",
    "/account/second/app/",
    "/account/second/passkeys/new/",
    "/account/sessions/",
    "/account/outside/",
    "/account/confirm/",
    "/users/invite/",
    "/login/forgotten/",
    "/account/notices/",
    "/notices/",
    "/webhooks/new/",
    "/webhooks/WEBHOOK/",
    "/webhooks/WEBHOOK/edit/",
    "/projects/PROJECT/use/",
    "/leases/LEASE/",
    "/leases/rules/PROJECT/",
    "/requests/rules/RULE/",
    "/machines/UUID/resize/",
    "/machines/UUID/hand-over/",
    "/users/USER/edit/",
    "/use/",
    "/nothing/here/",
]
ALL = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
# What is there is the same in each view; colours are not, nor names that a style hides.
LOOKS = ["color-contrast", "link-in-text-block"]
NAMES = ["button-name", "link-name", "label", "select-name", "summary-name"]
VIEWS = [(1280, "light", ALL), (390, "dark", [*LOOKS, *NAMES])]
WHOLE = [(width, scheme, ALL) for width, scheme, _ in VIEWS]  # the frame of all pages
CHECK = """async (runOnly) => {
  const found = await axe.run(document, { resultTypes: ["violations"], runOnly });
  return found.violations.flatMap((violation) =>
    violation.nodes.map((node) => `${violation.id}: ${node.html.slice(0, 200)}`));
}"""


@pytest.fixture(scope="module")
def places(product: Product) -> dict[str, str]:
    """The ids of a hostile guest, its host and an operation on it."""
    find = f"guests/?limit=1&search={HOSTILE.split()[0]}"
    until(lambda: product.call("GET", find).body["count"])
    guest = product.call("GET", find).body["items"][0]
    asked = product.call("POST", f"guests/{guest['uuid']}/pause/")
    operation = asked.body.get("id") or asked.body["operation"]
    host = f"hosts/{guest['host']}"
    networks = product.call("GET", f"{host}/networks/").body["items"]
    volumes = product.call("GET", f"{host}/volumes/").body["items"]
    flavor = {"name": "small", "vcpus": 1, "memory_bytes": 2**30, "disk_bytes": 2**34}
    flavor["note"] = HOSTILE
    wish = {"name": "every-page", "note": HOSTILE, "quota": {"guests": 3}}
    wish["members"] = [{"user": "admin", "role": "owner"}]
    machine = {"project": "every-page", "name": "app", "flavor": "small"}
    machine |= {"reason": HOSTILE, "lease_days": 9}
    rule = {"name": HOSTILE[:100], "enabled": False}
    hook = {"name": HOSTILE[:100], "url": "https://chat.example.org/hook"}
    project = str(product.call("POST", "projects/", wish).body["id"])
    given = {"project": int(project), "owner": "admin"}
    assert product.call("PATCH", f"guests/{guest['uuid']}/", given).status == 200
    lent = {"guest": guest["uuid"], "days": 9}
    return {
        "PROJECT": project,
        "LEASE": str(product.call("POST", "leases/", lent).body["id"]),
        "RULE": str(product.call("POST", "requests/rules/", rule).body["id"]),
        "WEBHOOK": str(product.call("POST", "webhooks/", hook).body["id"]),
        "USER": str(product.call("GET", "me/").body["id"]),
        "FLAVOR": str(product.call("POST", "flavors/", flavor).body["id"]),
        "REQUEST": str(product.call("POST", "requests/", machine).body["id"]),
        "POOL": str(volumes[0]["pool"]),
        "VOLUME": str(volumes[0]["id"]),
        "NETWORK": str(networks[0]["id"]),
        "UUID": guest["uuid"],
        "HOST": str(guest["host"]),
        "OPERATION": operation,
    }


def test_it_is_readable_quiet_and_fits(
    open_page: Callable[..., Page], places: dict[str, str]
) -> None:
    page = open_page("/")
    page.on("dialog", lambda dialog: pytest.fail(f"A name ran: {dialog.message}"))
    wrong: list[str] = []
    for pattern in PAGES:
        path = pattern
        for name, value in places.items():
            path = path.replace(name, value)
        page.goto(path)
        page.evaluate(AXE)  # not by a script element: the policy would forbid it
        for width, scheme, rules in VIEWS if pattern != "/" else WHOLE:
            wrong += [
                f"{path} {width} {scheme} {it}"
                for it in look(page, width, scheme, rules)
            ]
        said = open_page.said  # type: ignore[attr-defined]
        said[:] = [line for line in said if not rightly(pattern, line)]
        wrong += [f"{path} {line}" for line in said]
        said.clear()
    assert not wrong, "\n".join(wrong)


def look(page: Page, width: int, scheme: str, rules: list[str]) -> list[str]:
    """What is wrong with the page when it is so wide and so coloured."""
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    wrong = list(page.evaluate(CHECK, rules))
    needed = page.evaluate("document.documentElement.scrollWidth")
    if needed > width:
        wrong.append(f"needs {needed} pixels")
    if page.locator("main img:not([alt*='QR'])").count():
        wrong.append("has an image: a name became one")
    return wrong


def rightly(pattern: str, line: str) -> bool:
    """Whether the browser's console had to say this about that page."""
    missing = "nothing" in pattern and "404" in line
    no_screen = "console" in pattern and "409" in line  # there is none on paper
    return missing or no_screen or "NETWORK_CHANGED" in line


def test_hostile_names_are_text_everywhere(
    open_page: Callable[..., Page], places: dict[str, str]
) -> None:
    page = open_page("/guests/?search=img")
    page.on("dialog", lambda dialog: pytest.fail(f"A name ran: {dialog.message}"))
    expect(page.get_by_role("link", name=HOSTILE, exact=True)).to_be_visible()
    page.keyboard.press("Control+k")
    page.keyboard.type("img")
    expect(page.get_by_role("option", name=HOSTILE)).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="under way").click()
    expect(page.get_by_role("complementary", name="Operations")).to_be_visible()
    assert page.locator("img").count() == 0


def test_the_theme_is_kept(open_page: Callable[..., Page]) -> None:
    page = open_page("/", color_scheme="light")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_label("admin: account and theme").click()
    page.get_by_role("button", name="Dark").click()
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert dark != light
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark


def test_it_works_without_scripts(
    open_page: Callable[..., Page], places: dict[str, str]
) -> None:
    page = open_page("/guests/?state=shutoff", java_script_enabled=False)
    expect(page.locator("tr[data-guest]").first).to_be_visible()
    page.goto(f"/guests/{places['UUID']}/")
    for title in ("Hardware", "Disks", "What happened"):
        heading = page.get_by_role("heading", name=title, exact=True, level=2)
        expect(heading).to_be_visible()
    page.goto("/hosts/new/")
    expect(page.get_by_label("ssh private key")).to_be_hidden()
    page.get_by_label("Reached by").select_option("ssh")
    expect(page.get_by_label("ssh private key")).to_be_visible()
