"""From an approval to a guest that runs, against asking the API for it; and a rush."""

import http.client
import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path

from bench.create import MIB, by_api, image_of, quiet
from bench.figures import Figure, spread
from bench.ground import lab_and_product, until
from deploy.lab_host import LabHost
from deploy.product import PASSWORD, Product, Reply

ROUNDS = 6
MANY, ROOM = 50, 10
LATER_S, RUSH_S = 0.5, 5.0


def measure(place: Path) -> list[Figure]:
    """What a request costs more than the operation behind it, and fifty at once."""
    with lab_and_product(place) as (lab, product):
        host = lab.hosts[0]
        host.virsh(
            "vol-create-as", "default", "base.qcow2", "256M", "--format", "qcow2"
        )
        image = image_of(product)
        decides = _ground(product)
        return [_approving(host, product, image, decides), *_rush(product)]


def _ground(product: Product) -> str:
    """A size, a project, and the token of somebody who decides."""
    flavor = {"name": "tiny", "vcpus": 1, "memory_bytes": 64 * MIB}
    _made(product.call("POST", "flavors/", flavor | {"disk_bytes": 512 * MIB}))
    _made(product.call("POST", "projects/", {"name": "measured"}))
    quota = {"guests": ROOM}
    _made(product.call("POST", "projects/", {"name": "small", "quota": quota}))
    person = {"username": "olga", "password": PASSWORD, "role": "operator"}
    _made(product.call("POST", "users/", person))
    return product.manage("create_token", "olga")


def _made(said: Reply) -> None:
    if said.status != http.client.CREATED:
        raise RuntimeError(f"It was refused: {said.body}")


def _approving(host: LabHost, product: Product, image: int, decides: str) -> Figure:
    by_api(product, image, 0)  # warms both ways
    _by_request(product, image, 0, decides)
    quiet(host)
    plain, asked = [], []
    for number in range(1, ROUNDS + 1):  # in turn, for a machine's speed drifts
        plain.append(by_api(product, image, number))
        quiet(host)
        asked.append(_by_request(product, image, number, decides))
        quiet(host)
    return Figure(
        "approve → guest running, against plain API create",
        statistics.median(asked) - statistics.median(plain),
        "s",
        LATER_S,
        behind=spread("approve_s", asked) | spread("create_s", plain),
    )


def _by_request(product: Product, image: int, number: int, decides: str) -> float:
    """Seconds from the approval to the guest being shown as running."""
    body = _asked("measured", f"bench-asked-{number}") | {"image": image}
    body["cloud_init"] = {"user": "bench", "password": "of no importance"}
    said = product.call("POST", "requests/", body)
    _made(said)
    path = f"requests/{said.body['id']}/"
    begun = time.perf_counter()
    said = product.call("POST", f"{path}approve/", {}, token=decides)
    if said.status != http.client.OK:
        raise RuntimeError(f"It was not approved: {said.body}")
    guest = f"guests/{said.body['guest']}/"

    def runs() -> bool:
        found = product.call("GET", guest)
        return found.status == http.client.OK and found.body["state"] == "running"

    until(runs, 60, pause=0.005)
    taken = time.perf_counter() - begun
    until(lambda: product.call("GET", path).body["state"] == "ready", 60)
    return taken


def _asked(project: str, name: str) -> dict[str, object]:
    about = {"project": project, "name": name, "flavor": "tiny"}
    return about | {"reason": "To measure.", "lease_days": 1}


def _rush(product: Product) -> list[Figure]:
    """Fifty requests at once against a quota of ten."""
    answers: list[tuple[int, float]] = []
    gate = threading.Barrier(MANY)

    def ask(number: int) -> None:
        body = _asked("small", f"rush-{number}")
        gate.wait(30)
        begun = time.perf_counter()
        said = product.call("POST", "requests/", body)
        answers.append((said.status, time.perf_counter() - begun))

    _at_once(ask)
    granted = sum(status == http.client.CREATED for status, _ in answers)
    refused = sum(status == http.client.CONFLICT for status, _ in answers)
    waiting = product.call("GET", "requests/?search=rush-").body["count"]
    name = f"{MANY} requests at once against a quota of {ROOM}"
    return [
        Figure(f"{name}: granted over it", abs(granted - ROOM), "requests", 0),
        Figure(
            f"{name}: lost",
            MANY - granted - refused + abs(waiting - granted),
            "requests",
            0,
        ),
        Figure(
            f"{name}: the slowest answer",
            max(seconds for _, seconds in answers),
            "s",
            RUSH_S,
        ),
    ]


def _at_once(ask: Callable[[int], None]) -> None:
    threads = [threading.Thread(target=ask, args=[n]) for n in range(MANY)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
