"""A person looks at a guest's screen: through the whole product, at real QEMUs."""

import time
from collections.abc import Iterator
from uuid import UUID

import pytest
from websockets.exceptions import ConnectionClosed

from bench.rfb import Screen
from deploy.lab import Lab
from deploy.product import Product
from tests.lab.volumes import host_id
from tests.lab.whole.screens import Pixels, pixels_of, socket_to, ticket_for
from tests.scene import ask, ended, reconnected, seen
from tests.waiting import until

pytestmark = pytest.mark.lab


def test_it_shows_the_screen_of_a_guest_on_this_machine(
    product: Product, near: UUID
) -> None:
    with pixels_of(product, near) as screen:
        until(lambda: len({screen.picture() for _ in range(2)}) > 0, 5)
        first = screen.picture()
        screen.type("echo hello\r")
        until(lambda: screen.picture() != first, 20)


def test_who_only_looks_cannot_type(product: Product, near: UUID) -> None:
    with pixels_of(product, near, view_only=True) as looking:
        until(lambda: _still(looking), 60)
        before = looking.picture()
        looking.type("zzzzzzzz")
        time.sleep(1.5)  # nothing is expected to happen in it
        # The cursor blinks: both of its pictures count as the same.
        assert looking.picture() in {before, _other(looking, before)}
        with pixels_of(product, near) as using:
            using.type("zzzzzzzz")
            known = {before, _other(looking, before)}
            until(lambda: looking.picture() not in known, 10)


def _still(screen: Pixels) -> bool:
    """Whether at most a cursor moves."""
    return len({_after(screen, 0.1) for _ in range(20)}) <= 2


def _other(screen: Pixels, known: str) -> str:
    """The picture with the cursor the other way; the same when it does not blink."""
    for _ in range(20):
        if (found := _after(screen, 0.1)) != known:
            return found
    return known


def _after(screen: Pixels, seconds: float) -> str:
    time.sleep(seconds)
    return screen.picture()


def test_a_remote_screen_opens_with_the_password_of_the_ticket_only(
    product: Product, far: UUID
) -> None:
    ticket = ticket_for(product, far)
    with Screen(ticket["websocket_url"], ticket["password"]) as screen:
        assert screen.update() > 0
    with pytest.raises(PermissionError):
        Screen(ticket_for(product, far)["websocket_url"], "unknown")


@pytest.fixture
def by_ssh(product: Product, lab: Lab) -> Iterator[None]:
    """The second host is reached by ssh for a while."""
    host = lab.hosts[1]
    assert lab.ssh_key
    way = {
        "transport": "ssh",
        "username": "root",
        "ssh_private_key": lab.ssh_key.private,
        "ssh_host_key": host.ssh_host_key,
    }
    row = host_id(product, host.name)
    reconnected(product, row, way)
    yield
    reconnected(product, row, {"transport": "tcp", "username": ""})


@pytest.mark.usefixtures("by_ssh")
def test_a_screen_is_reached_through_ssh_too(product: Product, far: UUID) -> None:
    seen(product, far, "running", 60)
    with pixels_of(product, far) as screen:
        assert screen.picture()


def test_a_serial_port_is_a_shell(product: Product, near: UUID) -> None:
    url = ticket_for(product, near, kind="serial")["websocket_url"]
    with socket_to(url) as port:
        said = b""

        def answered() -> bool:
            nonlocal said
            port.send(b"echo $((6*7))\n")
            said += port.recv(5, decode=False)
            return b"\n42" in said.replace(b"\r", b"")

        until(answered, 30)


def test_it_never_shows_who_got_its_guests_port(
    product: Product, near: UUID, lab: Lab
) -> None:
    host = lab.hosts[0]
    first = host.define_demo("port-a", memory_mib=16, paused=True, network="")
    seen(product, first, "paused")
    url = ticket_for(product, first)["websocket_url"]
    port = host.virsh("vncdisplay", "port-a")
    host.virsh("destroy", "port-a")
    host.define_demo("port-b", memory_mib=16, paused=True, network="")
    try:
        assert host.virsh("vncdisplay", "port-b") == port
        with socket_to(url) as client, pytest.raises(ConnectionClosed) as closed:
            client.recv(10)
        assert closed.value.rcvd
        assert closed.value.rcvd.code == 4409
        assert closed.value.rcvd.reason
    finally:
        host.virsh("destroy", "port-b")
        for name in ("port-a", "port-b"):
            host.virsh("undefine", name)


def test_it_says_why_a_screen_cannot_be_had(product: Product, near: UUID) -> None:
    said = ask(product, near, "force-off")
    assert ended(product, said.body["id"])["state"] == "succeeded"
    seen(product, near, "shutoff")
    refused = product.call("POST", f"guests/{near}/console/", {})
    assert refused.status == 409
    assert "Start it first" in str(refused.body)
    ended(product, ask(product, near, "start").body["id"])
    seen(product, near, "running")
