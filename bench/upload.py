"""A file through the web port into a volume, against virsh doing the same by itself."""

import os
import socket
import statistics
import subprocess
import threading
import time
from pathlib import Path

from bench.figures import Figure, spread
from bench.ground import lab_and_product, until
from deploy.lab_host import LabHost
from deploy.product import Product

SIZE = 1 << 30
ROUNDS = 3
_SAMPLE_S = 0.1


def measure(place: Path) -> list[Figure]:
    """How fast, compared; and by how much the product's processes grow."""
    content = place / "content"
    _fill(content)
    with lab_and_product(place) as (lab, product):
        host = lab.hosts[0]
        pool = _pool(product)
        _put(product, _volume(product, pool, "warm"), content)
        ours, theirs = [], []
        for number in range(ROUNDS):
            theirs.append(_by_virsh(host, f"virsh-{number}", content))
            volume = _volume(product, pool, f"ours-{number}")
            ours.append(_put(product, volume, content))
        grown = _grown(product, _volume(product, pool, "watched"), content)
    rates = [SIZE / seconds / 2**20 for seconds in ours]
    return [
        Figure(
            "upload: 1 GiB through the web port, as a part of virsh's speed",
            statistics.median(theirs) / statistics.median(ours),
            "×",
            0.7,
            at_least=True,
            behind=spread("MiB/s", rates),
        ),
        Figure(
            "upload: growth of all the product's processes",
            grown / 2**20,
            "MiB",
            64,
        ),
    ]


def _fill(path: Path) -> None:
    """Bytes that nothing can make smaller."""
    with path.open("wb") as file:
        for _ in range(SIZE >> 24):
            file.write(os.urandom(1 << 24))


def _pool(product: Product) -> int:
    host = product.call("GET", "hosts/").body["items"][0]["id"]

    def pools() -> list[dict[str, object]]:
        found = product.call("GET", f"hosts/{host}/pools/").body["items"]
        return [pool for pool in found if pool["name"] == "default"]

    until(lambda: bool(pools()))
    return int(str(pools()[0]["id"]))


def _volume(product: Product, pool: int, name: str) -> int:
    """An empty raw volume that the file fits into."""
    body = {"name": name, "format": "raw", "capacity_bytes": SIZE}
    operation = product.call("POST", f"pools/{pool}/volumes/", body).body["id"]
    return int(_ended(product, operation)["volume"])


def _ended(product: Product, operation: str) -> dict[str, int]:
    path = f"operations/{operation}/"
    ended = {"succeeded", "failed", "cancelled"}
    until(lambda: product.call("GET", path).body["state"] in ended, 120)
    said = product.call("GET", path).body
    if said["state"] != "succeeded":
        raise RuntimeError(f"An operation ended badly: {said['error']}")
    return dict(said["result"])


def _put(product: Product, volume: int, content: Path) -> float:
    """Seconds until all of it was taken; the kernel sends it, as curl would."""
    head = (
        f"PUT /api/v1/volumes/{volume}/content/ HTTP/1.1\r\n"
        f"Host: 127.0.0.1:{product.port}\r\n"
        f"Authorization: Bearer {product.token}\r\n"
        f"Content-Length: {SIZE}\r\nConnection: close\r\n\r\n"
    )
    begun = time.perf_counter()
    with (
        socket.create_connection(("127.0.0.1", product.port), 120) as there,
        content.open("rb") as file,
    ):
        there.sendall(head.encode())
        there.sendfile(file)
        answer = there.makefile("rb").read()
    seconds = time.perf_counter() - begun
    if b" 202 " not in answer.split(b"\r\n", 1)[0]:
        raise RuntimeError(f"The upload was refused: {answer[-500:]!r}")
    operation = answer.split(b"/api/v1/operations/", 1)[1][:36].decode()
    _ended(product, operation)
    return seconds


def _by_virsh(host: LabHost, name: str, content: Path) -> float:
    """Seconds that virsh needs on the same host by the same transport."""
    there = ["virsh", "-q", "-c", host.uri]
    made = ["vol-create-as", "default", name, str(SIZE), "--allocation", "0"]
    subprocess.run([*there, *made], check=True)
    sent = ["vol-upload", name, str(content), "--pool", "default"]
    begun = time.perf_counter()
    subprocess.run([*there, *sent], check=True)
    return time.perf_counter() - begun


def _grown(product: Product, volume: int, content: Path) -> int:
    """By how many bytes all processes together grow at most while they pass a file on."""
    before, peak, over = _memory(product), 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not over.wait(_SAMPLE_S):
            peak = max(peak, _memory(product))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        _put(product, volume, content)
    finally:
        over.set()
        watching.join()
    return max(0, peak - before)


def _memory(product: Product) -> int:
    """What its processes take together; what they share is counted once."""
    paths = [Path(f"/proc/{pid}/smaps_rollup") for pid in product.pids()]
    return sum(_pss_kib(path) for path in paths) * 1024


def _pss_kib(path: Path) -> int:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return 0  # it has ended
    return int(next((line.split()[1] for line in lines if line[:4] == "Pss:"), 0))
