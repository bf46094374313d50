"""A host is emptied of eight guests, against virsh that moves one after the other."""

import statistics
import time
from pathlib import Path

from bench.figures import Figure, spread
from bench.ground import lab_and_product, until
from deploy.lab_host import LabHost
from deploy.product import Product

COUNT, MEMORY_MIB = 8, 128
MOST_ROUNDS, LEAST_ROUNDS = 5, 2
ENOUGH_S = 60  # after so long no further round is begun
_LIMIT = 0.8
_ENDED = {"succeeded", "failed", "cancelled"}


def measure(place: Path) -> list[Figure]:
    """From the click to all of them running elsewhere; virsh brings each of them back."""
    with lab_and_product(place, hosts=3) as (lab, product):
        first, *others = lab.hosts
        guests = [
            str(first.define_demo(f"drain-{n}", MEMORY_MIB, network=""))
            for n in range(COUNT)
        ]
        _all_seen(product, guests, first.name)
        time.sleep(5)  # they boot, and are quiet then
        _warm(product, guests[0], first, others)
        ours, theirs = _rounds(product, first, others, guests)
    return [
        Figure(
            f"drain of {COUNT} guests, against virsh one after the other",
            statistics.median(ours) / statistics.median(theirs),
            "×",
            _LIMIT,
            behind=spread("drain_s", ours) | spread("virsh_s", theirs),
        )
    ]


def _rounds(
    product: Product, first: LabHost, others: list[LabHost], guests: list[str]
) -> tuple[list[float], list[float]]:
    """Seconds of each emptying, and of each way back; in turn, for speed drifts."""
    ours, theirs = list[float](), list[float]()
    begun = time.monotonic()
    while len(ours) < MOST_ROUNDS:
        if len(ours) >= LEAST_ROUNDS and time.monotonic() - begun > ENOUGH_S:
            break
        ours.append(_by_api(product, first))
        theirs.append(_by_virsh(product, first, others, guests))
    return ours, theirs


def _warm(product: Product, uuid: str, home: LabHost, others: list[LabHost]) -> None:
    """One guest goes each way once: what a first move does is done."""
    for target in (*others, home):
        body = {"host": _id(product, target)}
        said = product.call("POST", f"guests/{uuid}/migrate/", body)
        _succeeded(product, said.body)
        _all_seen(product, [uuid], target.name)


def _by_api(product: Product, host: LabHost) -> float:
    begun = time.perf_counter()
    body = {"enabled": True, "evacuate": True}
    said = product.call("POST", f"hosts/{_id(product, host)}/maintenance/", body)
    _succeeded(product, said.body)
    taken = time.perf_counter() - begun
    product.call("POST", f"hosts/{_id(product, host)}/maintenance/", {"enabled": False})
    return taken


def _by_virsh(
    product: Product, home: LabHost, others: list[LabHost], guests: list[str]
) -> float:
    """Each from where it is, one after the other."""
    there = {host: host.virsh("list", "--uuid").split() for host in others}
    begun = time.perf_counter()
    for uuid in guests:
        source = next(host for host, known in there.items() if uuid in known)
        _virsh(source, home, uuid)
    taken = time.perf_counter() - begun
    _all_seen(product, guests, home.name)
    return taken


def _virsh(source: LabHost, target: LabHost, uuid: str) -> None:
    source.virsh(
        "migrate",
        "--live",
        "--p2p",
        "--persistent",
        "--undefinesource",
        "--auto-converge",
        "--domain",
        uuid,
        "--desturi",
        f"qemu+tcp://{target.address}/system",
        "--migrateuri",
        f"tcp://{target.address}",
    )


def _succeeded(product: Product, operation: dict[str, str]) -> None:
    path = f"operations/{operation['id']}/"
    until(lambda: product.call("GET", path).body["state"] in _ENDED, 120, pause=0.02)
    found = product.call("GET", path).body
    if found["state"] != "succeeded":
        raise RuntimeError(f"{found['kind']} ended so: {found['message']}")


def _all_seen(product: Product, guests: list[str], name: str) -> None:
    def there() -> bool:
        rows = [product.call("GET", f"guests/{uuid}/") for uuid in guests]
        return all(
            row.status == 200
            and row.body["host_name"] == name
            and row.body["state"] == "running"
            and row.body["active_operation"] is None
            for row in rows
        )

    until(there, 60, pause=0.1)


def _id(product: Product, host: LabHost) -> int:
    for each in product.call("GET", "hosts/").body["items"]:
        if each["name"] == host.name:
            return int(each["id"])
    raise RuntimeError(f"{host.name} is not known.")
