"""How well the cost of a move is foretold: what was said before against what it took."""

import http.client
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import libvirt

from bench.figures import Figure
from bench.ground import lab_and_product, until
from deploy.lab import Lab
from deploy.product import Product

MOVES = 10
AMONG = 0.30  # how far from the measured total a prediction may be
MOST_MISSES = 2
_MEMORY_MIB = 256
_WARM_UP = 2  # moves that only teach the link; a new pair is not known yet
_DIRTYING = (
    "mkdir /t; mount -t tmpfs t /t; dd if=/dev/urandom of=/t/a bs=1M count=24; "
    "while :; do cp /t/a /t/b; sleep 0.5; done &\n"
)


@dataclass(frozen=True, slots=True)
class Foretold:
    """One move, as it was said to be and as it was."""

    said_s: float
    took_s: float
    said_downtime_ms: int
    downtime_ms: int

    @property
    def off(self) -> float:
        """How far the prediction was from what it took, as a part of that."""
        return abs(self.said_s - self.took_s) / self.took_s


def measure(place: Path) -> list[Figure]:
    """An idle guest and one that writes memory, moved to and fro between two hosts."""
    with lab_and_product(place, hosts=2) as (lab, product):
        return [
            _figure("idle", _moves(lab, product, "idle", "")),
            _figure("dirtying", _moves(lab, product, "dirtying", _DIRTYING)),
        ]


def _figure(name: str, moves: list[Foretold]) -> Figure:
    missed = [move for move in moves if move.off > AMONG]
    behind: dict[str, float | int | str] = {
        "moves": len(moves),
        "off_median": sorted(move.off for move in moves)[len(moves) // 2],
        "off_most": max(move.off for move in moves),
        "said_s": " ".join(f"{move.said_s:.2f}" for move in moves),
        "took_s": " ".join(f"{move.took_s:.2f}" for move in moves),
        "said_downtime_ms": " ".join(str(move.said_downtime_ms) for move in moves),
        "downtime_ms": " ".join(str(move.downtime_ms) for move in moves),
    }
    return Figure(
        f"moves foretold wrongly by more than 30 %, {name} guest",
        len(missed),
        f"of {len(moves)}",
        MOST_MISSES,
        behind=behind,
    )


def _moves(lab: Lab, product: Product, name: str, command: str) -> list[Foretold]:
    here, there = lab.hosts
    uuid = str(here.define_demo(name, _MEMORY_MIB, network=""))
    ids = {
        host["name"]: int(host["id"])
        for host in product.call("GET", "hosts/").body["items"]
    }
    for host in lab.hosts:
        about = {"migration_address": host.address}
        product.call("PATCH", f"hosts/{ids[host.name]}/", about)
    until(lambda: product.call("GET", f"guests/{uuid}/").status == http.client.OK)
    _typed(here.unix_uri, uuid, command)
    found = []
    for number in range(_WARM_UP + MOVES):
        target = (there, here)[number % 2]
        told = _moved(product, uuid, ids[target.name])
        if number >= _WARM_UP:
            found.append(told)
    product.call("POST", f"guests/{uuid}/force-off/")
    return found


def _moved(product: Product, uuid: str, host: int) -> Foretold:
    """Ask both hosts, take the prediction, move, and see what it took."""
    _ended(product, "POST", f"guests/{uuid}/migration-check/", {"host": host})
    said = product.call("GET", f"guests/{uuid}/migration-check/?host={host}").body
    cost = said["hosts"][0]["estimate"]
    result = _ended(product, "POST", f"guests/{uuid}/migrate/", {"host": host})
    until(lambda: _has_settled(product, uuid, host))
    return Foretold(
        said_s=cost["seconds"],
        took_s=result["total_ms"] / 1000,
        said_downtime_ms=cost["downtime_ms"],
        downtime_ms=result["downtime_ms"],
    )


def _has_settled(product: Product, uuid: str, host: int) -> bool:
    """Whether the row says so, and no other host still shows it."""
    guest = product.call("GET", f"guests/{uuid}/").body
    return guest["host"] == host and not guest["conflict"]


def _ended(
    product: Product, method: str, path: str, body: dict[str, Any]
) -> dict[str, Any]:
    """The result of the operation, once it has succeeded."""
    said = product.call(method, path, body)
    if said.status != http.client.ACCEPTED:
        raise RuntimeError(f"{path} was refused: {said.body}")
    operation = f"operations/{said.body['id']}/"
    until(lambda: product.call("GET", operation).body["finished_at"] is not None, 120)
    ended = product.call("GET", operation).body
    if ended["state"] != "succeeded":
        raise RuntimeError(f"{path} failed: {ended['error']}")
    return dict(ended["result"])


def _typed(uri: str, uuid: str, command: str) -> None:
    """Let it boot, then type this at its serial shell."""
    conn = libvirt.open(uri)
    stream = conn.newStream(libvirt.VIR_STREAM_NONBLOCK)
    domain = conn.lookupByUUIDString(uuid)
    domain.openConsole(None, stream, libvirt.VIR_DOMAIN_CONSOLE_FORCE)
    heard, deadline = "", time.monotonic() + 90
    while "demo:" not in heard:
        if time.monotonic() > deadline:
            raise TimeoutError("The guest does not boot.")
        stream.send(b"\n")
        time.sleep(0.3)
        while isinstance(data := stream.recv(4096), bytes) and data:
            heard += data.decode(errors="replace")
    stream.send(command.encode())
    time.sleep(2)
    stream.abort()
    conn.close()
