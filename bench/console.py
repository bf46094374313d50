"""A screen through the product against bare websockify on the same guest."""

import http.client
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from websockets.sync.client import connect
from websockets.typing import Subprotocol

from bench.figures import Figure, spread
from bench.ground import lab_and_product, until
from bench.rfb import Screen
from deploy.lab_host import LabHost
from deploy.places import ROOT
from deploy.product import Product, free_port

OPENINGS = 20
ROUNDS = 5
ROUND_S = 3.0
GUEST = "screen"


def measure(place: Path) -> list[Figure]:
    """First picture, updates a second, and plain bytes a second."""
    with lab_and_product(place) as (lab, product):
        host = lab.hosts[0]
        uuid = host.define_demo(GUEST, 96, network="")
        until(
            lambda: (
                product.call("GET", f"guests/{uuid}/").body.get("state") == "running"
            )
        )
        time.sleep(5)  # its kernel has filled the screen
        return [
            _first_picture(product, uuid),
            _updates(product, host, uuid),
            _raw(product, uuid),
        ]


def _ticket(product: Product, uuid: UUID) -> dict[str, Any]:
    said = product.call("POST", f"guests/{uuid}/console/", {"kind": "vnc"})
    if said.status not in {http.client.OK, http.client.CREATED}:
        raise RuntimeError(f"No ticket for a console: {said.body}")
    return dict(said.body)


def _first_picture(product: Product, uuid: UUID) -> Figure:
    taken_ms = []
    for _ in range(OPENINGS):
        ticket = _ticket(product, uuid)
        begun = time.perf_counter()
        with Screen(ticket["websocket_url"], ticket.get("password") or "") as screen:
            screen.update()
            taken_ms.append((time.perf_counter() - begun) * 1000)
    return Figure(
        "console: ticket → first framebuffer (median)",
        statistics.median(taken_ms),
        "ms",
        300,
        behind=spread("ms", taken_ms),
    )


def _updates(product: Product, host: LabHost, uuid: UUID) -> Figure:
    port = 5900 + int(host.virsh("vncdisplay", GUEST).rsplit(":", 1)[1])
    ours, bare = [], []
    with _websockify(f"{host.address}:{port}") as url:
        for _ in range(ROUNDS):
            ticket = _ticket(product, uuid)
            password = ticket.get("password") or ""
            ours.append(_rate(lambda: Screen(ticket["websocket_url"], password)))  # noqa: B023  called at once
            bare.append(_rate(lambda: Screen(url, password)))  # noqa: B023  the same
    return _ratio("framebuffer updates of a real guest", "updates_s", ours, bare, 0.95)


def _rate(opened: Callable[[], Screen]) -> float:
    with opened() as screen:
        screen.update()
        count, begun = 0, time.perf_counter()
        while (taken := time.perf_counter() - begun) < ROUND_S:
            screen.update()
            count += 1
        return count / taken


def _raw(product: Product, uuid: UUID) -> Figure:
    """Bytes of a source that never stops, in place of a screen."""
    (console,) = product.pids("manage.py console")
    socket = product.directory / "run/console.sock"
    kept = socket.with_suffix(".kept")
    os.kill(console, signal.SIGSTOP)  # killed, it would be started again
    socket.rename(kept)
    ours, bare = [], []
    try:
        with (
            _source() as source,
            _stand_in(product, source),
            _websockify(source) as url,
        ):
            until(socket.exists)
            for _ in range(ROUNDS):
                ours.append(
                    _megabytes_a_second(_ticket(product, uuid)["websocket_url"])
                )
                bare.append(_megabytes_a_second(url))
    finally:
        socket.unlink(missing_ok=True)
        kept.rename(socket)
        os.kill(console, signal.SIGCONT)
    return _ratio("a raw source", "mb_s", ours, bare, 0.6)


def _megabytes_a_second(url: str) -> float:
    with connect(
        url, subprotocols=[Subprotocol("binary")], max_size=None, compression=None
    ) as socket:
        count, begun = 0, time.perf_counter()
        while (taken := time.perf_counter() - begun) < ROUND_S:
            count += len(socket.recv(decode=False))
        return count / taken / 1e6


def _ratio(
    name: str, unit: str, ours: list[float], bare: list[float], limit: float
) -> Figure:
    return Figure(
        f"console: {name}, against bare websockify (medians)",
        statistics.median(ours) / statistics.median(bare),
        "×",
        limit,
        at_least=True,
        behind=spread(f"product_{unit}", ours) | spread(f"websockify_{unit}", bare),
    )


@contextmanager
def _running(*arguments: str, **environment: str) -> Iterator[None]:
    child = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # websockify forks: all of it is ended
    )
    try:
        yield
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


@contextmanager
def _websockify(target: str) -> Iterator[str]:
    port = free_port()
    with _running("-m", "websockify", f"127.0.0.1:{port}", target):
        time.sleep(1)  # asking whether it listens would be its first client
        yield f"ws://127.0.0.1:{port}/"


@contextmanager
def _source() -> Iterator[str]:
    port = free_port()
    with _running("-m", "bench.raw_source", str(port)):
        time.sleep(0.5)
        yield f"127.0.0.1:{port}"


@contextmanager
def _stand_in(product: Product, source: str) -> Iterator[None]:
    with _running("-m", "bench.raw_console", source, **product.environment):
        yield
