"""A live move asked for by the API, against virsh migrate with the same flags."""

import re
import statistics
import time
from pathlib import Path

from bench.figures import Figure, spread
from bench.ground import lab_and_product, until
from deploy.lab_host import LabHost
from deploy.product import Product

ROUNDS = 10
MEMORY_MIB = 256
_OFTEN_S, _SELDOM_S = 0.005, 1.0
_SHARE = 1.15  # of virsh's time, and 300 ms on top
_FLAGS = ("--live", "--p2p", "--persistent", "--undefinesource", "--unsafe")
_POLICY = ("--auto-converge",)  # as "must finish" begins


def measure(place: Path) -> list[Figure]:
    """From the call to the row that says "running there", and standing still."""
    with lab_and_product(place, hosts=2) as (lab, product):
        here, there = lab.hosts
        uuid = _guest(here)
        until(lambda: _shown(product, uuid) == (here.name, "running"))
        time.sleep(5)  # until it has booted: then its memory is quiet
        _by_api(
            product, uuid, there, look_every_s=_SELDOM_S
        )  # warms both ways, proves the storage
        _by_virsh(product, uuid, there, here)
        ours, theirs = [], []
        for _ in range(ROUNDS):  # in turn, for a machine's speed drifts
            ours.append(_by_api(product, uuid, there, look_every_s=_OFTEN_S))
            theirs.append(_by_virsh(product, uuid, there, here))
        stood, theirs_stood = [], []
        for _ in range(ROUNDS):  # whoever asks often takes the CPU it stands still for
            stood.append(_by_api(product, uuid, there, look_every_s=_SELDOM_S)[1])
            theirs_stood.append(_by_virsh(product, uuid, there, here)[1])
    took, theirs_took = [it[0] for it in ours], [it[0] for it in theirs]
    return [_time(took, theirs_took), _downtime(stood, theirs_stood)]


def _time(took: list[float], theirs: list[float]) -> Figure:
    median, theirs_median = statistics.median(took), statistics.median(theirs)
    return Figure(
        "API call → running there in the row, beyond 1.15 × virsh migrate",
        (median - _SHARE * theirs_median) * 1000,
        "ms",
        300,
        behind=spread("api_s", took) | spread("virsh_s", theirs),
    )


def _downtime(stood: list[float], theirs: list[float]) -> Figure:
    return Figure(
        "downtime of a live move, against virsh migrate",
        statistics.median(stood) / statistics.median(theirs),
        "×",
        1.1,
        behind=spread("api_ms", stood) | spread("virsh_ms", theirs),
    )


def _guest(host: LabHost) -> str:
    """A running guest with a disk that both hosts see."""
    made = host.define_demo("move", MEMORY_MIB, running=False, network="")
    uuid = str(made)
    host.virsh("vol-create-as", "shared", "move.qcow2", "16M", "--format", "qcow2")
    path = host.virsh("vol-path", "move.qcow2", "--pool", "shared")
    words = ("--subdriver", "qcow2", "--targetbus", "virtio", "--config")
    host.virsh("attach-disk", uuid, path, "vda", *words)
    host.virsh("start", uuid)
    return uuid


def _by_api(
    product: Product, uuid: str, to: LabHost, *, look_every_s: float
) -> tuple[float, float]:
    """Seconds from the call to the row, and milliseconds it stood still."""
    target = _host_id(product, to.name)
    product.call("GET", f"guests/{uuid}/")
    begun = time.monotonic()
    said = product.call("POST", f"guests/{uuid}/migrate/", {"host": target})
    if said.status != 202:
        raise RuntimeError(f"The move was refused: {said.body}")
    operation = f"operations/{said.body['id']}/"
    try:
        until(
            lambda: _shown(product, uuid) == (to.name, "running"),
            30,
            pause=look_every_s,
        )
    except TimeoutError as error:
        message = product.call("GET", operation).body
        raise RuntimeError(f"It was not seen to arrive: {message}") from error
    took = time.monotonic() - begun
    until(lambda: product.call("GET", operation).body["finished_at"] is not None, 60)
    ended = product.call("GET", operation).body
    if ended["state"] != "succeeded":
        raise RuntimeError(f"The move failed: {ended['message']}")
    return took, float(ended["result"]["downtime_ms"])


def _by_virsh(
    product: Product, uuid: str, here: LabHost, there: LabHost
) -> tuple[float, float]:
    """The same by virsh, up to its return."""
    begun = time.monotonic()
    way = (there.uri, f"tcp://{there.address}")
    here.virsh("migrate", *_FLAGS, *_POLICY, uuid, *way)
    took = time.monotonic() - begun
    told = there.virsh("domjobinfo", uuid, "--completed")
    found = re.search(r"Total downtime:\s+(\d+)", told)
    if found is None:
        raise RuntimeError(f"virsh told no downtime: {told}")
    until(lambda: _shown(product, uuid) == (there.name, "running"), 60)
    return took, float(found[1])


def _shown(product: Product, uuid: str) -> tuple[str, str]:
    said = product.call("GET", f"guests/{uuid}/").body
    return str(said.get("host_name", "")), str(said.get("state", ""))


def _host_id(product: Product, name: str) -> int:
    items = product.call("GET", "hosts/").body["items"]
    return int(next(each["id"] for each in items if each["name"] == name))
