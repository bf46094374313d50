"""A person types at a screen and at a serial port while the guest moves: a pause, no break."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from deploy import browser
from deploy.lab import Lab
from deploy.lab_host import LabHost
from deploy.product import Product
from tests.browser.conftest import sign_in
from tests.lab.migration.ground import homes
from tests.scene import ended, guest
from tests.waiting import until

pytestmark = pytest.mark.lab
Mover = Callable[..., str]
BACK_S = 15.0  # a screen is there again after the switch
_UPTIME = re.compile(rb"\d+\.\d\d \d+\.\d\d\r")


class Port:
    """A serial port over a WebSocket, read all the time."""

    def __init__(self, product: Product, uuid: str) -> None:
        self._until_left = ExitStack()
        opening = connect(
            _ticket(product, uuid, "serial")["websocket_url"],
            subprotocols=[Subprotocol("binary")],
            compression=None,
        )
        self._socket: ClientConnection = self._until_left.enter_context(opening)
        self.said = b""
        self.ended = False
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def type(self, text: str) -> None:
        self._socket.send(text.encode())

    def has_said(self, text: str) -> bool:
        return text.encode() in self.said

    def close(self) -> None:
        self._until_left.close()
        self._reader.join(10)

    def _read(self) -> None:
        try:
            while True:
                self.said += self._socket.recv(decode=False)
        except ConnectionClosed:
            self.ended = True


@pytest.fixture
def port_of(moving_product: Product) -> Iterator[Callable[[str], Port]]:
    """Opens a guest's serial port, with a shell that answers."""
    opened: list[Port] = []

    def make(uuid: str) -> Port:
        port = Port(moving_product, uuid)
        opened.append(port)

        def answers() -> bool:
            port.type("echo $((6*7))\n")
            return port.has_said("\n42")

        until(answers, 40, pause=0.5)
        return port

    yield make
    for port in opened:
        port.close()


@pytest.fixture
def chromium() -> Iterator[Browser]:
    with browser.started() as started:
        yield started


@pytest.fixture
def page(moving_product: Product, chromium: Browser) -> Iterator[Page]:
    """A signed-in person's browser."""
    context = chromium.new_context(base_url=moving_product.url)
    page = context.new_page()
    sign_in(page)
    yield page
    context.close()


def _ticket(product: Product, uuid: str, kind: str) -> dict[str, Any]:
    said = product.call("POST", f"guests/{uuid}/console/", {"kind": kind})
    assert said.status == 200, said.body
    return dict(said.body)


def _by_virsh(source: LabHost, target: LabHost, uuid: str) -> None:
    source.virsh(
        *("migrate", uuid, f"qemu+tcp://{target.address}/system"),
        *("--live", "--p2p", "--persistent", "--undefinesource"),
        *("--migrateuri", f"tcp://{target.address}"),
    )


def test_a_serial_port_goes_along_with_a_move_made_by_virsh(
    lab3: Lab, moving_product: Product, mover: Mover, port_of: Callable[[str], Port]
) -> None:
    uuid = mover("serial-goes")
    port = port_of(uuid)
    here, there, _ = lab3.hosts

    _by_virsh(here, there, uuid)
    done = time.monotonic()

    def answers() -> bool:
        port.type("echo there-$((40+2))\n")
        return port.has_said("\nthere-42")

    until(answers, 10, pause=0.05)
    took = time.monotonic() - done
    assert not port.ended
    assert homes(lab3, uuid) == {there.name: "running"}
    assert took < BACK_S, took


# When the page said what, in milliseconds of its own clock.
STATES = """() => {
  const root = document.querySelector("[data-console]");
  window.states = [[performance.now(), root.dataset.state]];
  new MutationObserver(() => {
    const last = window.states.at(-1)[1];
    if (root.dataset.state !== last)
      window.states.push([performance.now(), root.dataset.state]);
  }).observe(root, { attributes: true });
}"""


def test_who_types_at_a_screen_sees_a_pause_and_goes_on(
    lab3: Lab,
    moving_product: Product,
    mover: Mover,
    port_of: Callable[[str], Port],
    page: Page,
) -> None:
    uuid = mover("screen-stays")
    port = port_of(uuid)
    target = _id_of(moving_product, lab3.hosts[1])
    page.goto(f"/guests/{uuid}/console/")
    root = page.locator("[data-console]")
    expect(root).to_have_attribute("data-state", "open", timeout=30000)
    page.locator("[data-console-screen] canvas").click()
    page.evaluate(STATES)
    # What it writes to the serial port proves that each of these letters came in.
    waiting = list("cp /proc/uptime /dev/console")
    for _ in range(14):
        page.keyboard.press(_key(waiting.pop(0)))
    said = moving_product.call("POST", f"guests/{uuid}/migrate/", {"host": target})
    assert said.status == 202, said.body
    _type_until_moved(moving_product, uuid, target, root, waiting)
    assert ended(moving_product, said.body["id"])["state"] == "succeeded"
    for letter in waiting:
        page.keyboard.press(_key(letter))
    page.keyboard.press("Enter")

    until(lambda: _UPTIME.search(port.said) is not None, 60)
    states = page.evaluate("window.states")
    assert [word for _, word in states] == ["open", "moving", "open"], states
    assert (states[2][0] - states[1][0]) / 1000 < BACK_S, states
    assert not port.ended


def _type_until_moved(
    product: Product, uuid: str, target: int, root: Locator, waiting: list[str]
) -> None:
    """What is typed while the screen is away; not all of it.

    Not in the instant before: what reaches the old QEMU once it stands still is lost.
    """
    until_then, moved = time.monotonic() + 60, False
    while not moved or root.get_attribute("data-state") != "open":
        assert time.monotonic() < until_then, root.page.evaluate("window.states")
        moving = root.get_attribute("data-state") == "moving"
        if len(waiting) > 1 and moving:
            root.page.keyboard.press(_key(waiting.pop(0)))
        now = guest(product, uuid)
        moved = now["host"] == target and not now["active_operation"]
        root.page.wait_for_timeout(50)


def _key(letter: str) -> str:
    return {" ": "Space", "/": "Slash"}.get(letter, letter)


def _id_of(product: Product, host: LabHost) -> int:
    hosts = product.call("GET", "hosts/").body["items"]
    return next(int(each["id"]) for each in hosts if each["name"] == host.name)
