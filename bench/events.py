"""How soon news of virsh reaches an open WebSocket, and how soon a click reaches libvirt."""

import asyncio
import contextlib
import json
import queue
import statistics
import threading
import time
from pathlib import Path
from typing import Any

import libvirt
import websockets

from bench.figures import Figure, percentile, spread
from bench.ground import lab_and_product, until
from deploy.lab_host import LabHost
from deploy.product import Product

RUNS = 25
STARTS = 12
GUEST = "bench-1"


class Listener:
    """A bare libvirt client: when it heard that a domain was started."""

    def __init__(self, uri: str) -> None:
        libvirt.virEventRegisterDefaultImpl()
        self.heard: queue.Queue[float] = queue.Queue()
        threading.Thread(target=self._run, daemon=True).start()
        self._connection = libvirt.openReadOnly(uri)
        self._connection.domainEventRegisterAny(
            None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, self._heard, None
        )

    def _heard(self, *said: Any) -> None:
        if said[2] == libvirt.VIR_DOMAIN_EVENT_STARTED:
            self.heard.put(time.monotonic())

    def _run(self) -> None:
        while True:
            libvirt.virEventRunDefaultImpl()


class Socket:
    """An open live page: when it heard that the guest runs."""

    def __init__(self, product: Product) -> None:
        self.heard: queue.Queue[float] = queue.Queue()
        self._url = (
            f"{product.url.replace('http', 'ws')}/ws/live/?token={product.token}"
        )
        self._open = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()
        if not self._open.wait(10):
            raise TimeoutError("The live socket did not open.")

    def _listen(self) -> None:
        with contextlib.suppress(websockets.ConnectionClosed):  # the product ends
            asyncio.run(self._run())

    async def _run(self) -> None:
        async with websockets.connect(self._url) as socket:
            await socket.send(json.dumps({"subscribe": ["guests"]}))
            self._open.set()
            async for text in socket:
                said = json.loads(text)
                data = said.get("data", {})
                if said.get("type") == "state" and data.get("state") == "running":
                    self.heard.put(time.monotonic())


def measure(place: Path) -> list[Figure]:
    """Event → open page, and API start → running, each against the plain tool."""
    with lab_and_product(place) as (lab, product):
        host = lab.hosts[0]
        uuid = _guest(host, product)
        listener, socket = Listener(host.unix_uri), Socket(product)
        time.sleep(1)  # the subscription has no answer to wait for
        return [
            _event_figure(host, product, uuid, listener, socket),
            _start_figure(host, product, uuid, listener),
        ]


def _guest(host: LabHost, product: Product) -> str:
    host.define_demo(GUEST, memory_mib=64, running=False)
    until(lambda: product.call("GET", f"guests/?search={GUEST}").body["count"] == 1)
    return str(product.call("GET", f"guests/?search={GUEST}").body["items"][0]["uuid"])


def _stop(host: LabHost, product: Product, uuid: str) -> None:
    host.virsh("destroy", GUEST)
    until(
        lambda: (
            product.call("GET", f"guests/{uuid}/").body["state"] == "shutoff"
            and product.call("GET", f"guests/{uuid}/").body["active_operation"] is None
        )
    )


def _event_figure(
    host: LabHost, product: Product, uuid: str, listener: Listener, socket: Socket
) -> Figure:
    late_ms = []
    for _ in range(RUNS):
        host.virsh("start", GUEST)
        bare, news = listener.heard.get(timeout=20), socket.heard.get(timeout=20)
        late_ms.append((news - bare) * 1000)
        _stop(host, product, uuid)
        _drain(socket.heard)
    return Figure(
        "virsh start → news in an open WebSocket, after a bare listener heard it (p95)",
        percentile(late_ms, 95),
        "ms",
        150,
        behind=spread("late_ms", late_ms),
    )


def _start_figure(
    host: LabHost, product: Product, uuid: str, listener: Listener
) -> Figure:
    by_api, by_virsh = [], []
    for _ in range(STARTS):
        begun = time.monotonic()
        host.virsh("start", GUEST)
        by_virsh.append((listener.heard.get(timeout=20) - begun) * 1000)
        _stop(host, product, uuid)
        begun = time.monotonic()
        product.call("POST", f"guests/{uuid}/start/")
        by_api.append((listener.heard.get(timeout=20) - begun) * 1000)
        _stop(host, product, uuid)
    return Figure(
        "API start → guest running, minus the same by virsh (medians)",
        statistics.median(by_api) - statistics.median(by_virsh),
        "ms",
        250,
        behind=spread("api_ms", by_api) | spread("virsh_ms", by_virsh),
    )


def _drain(heard: "queue.Queue[float]") -> None:
    while not heard.empty():
        heard.get_nowait()
