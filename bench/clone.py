"""How long a linked clone of a large template takes, from asking to being shown."""

import http.client
import statistics
import time
from pathlib import Path

from bench.figures import Figure, spread
from bench.ground import lab_and_product, until
from deploy.product import Product

SIZE = "10G"
ROUNDS = 8
LIMIT_S = 1.0


def measure(place: Path) -> list[Figure]:
    """A guest with a disk of 10 GiB, 1 GiB of it written, cloned again and again."""
    with lab_and_product(place) as (lab, product):
        host = lab.hosts[0]
        uuid = str(host.define_demo("template", running=False, network=""))
        host.virsh("vol-create-as", "default", "t.qcow2", SIZE, "--format", "qcow2")
        disk = "/var/lib/libvirt/images/t.qcow2"
        host.run("qemu-io", "-f", "qcow2", "-c", "write -q -P 7 0 1G", disk)
        how = ("--subdriver", "qcow2", "--config")
        host.virsh("attach-disk", "template", disk, "vda", *how)
        host.virsh("pool-refresh", "default")
        until(lambda: _is_ready(product, uuid))
        said = product.call("PUT", f"guests/{uuid}/template/", {"template": True})
        if said.status != http.client.OK:
            raise RuntimeError(f"It was made no template: {said.body}")
        taken = [_clone(product, uuid, number) for number in range(ROUNDS + 1)][1:]
        return [
            Figure(
                "linked clone of a 10 GiB guest",
                statistics.median(taken),
                "s",
                LIMIT_S,
                behind=spread("s", taken) | {"longest": max(taken)},
            )
        ]


def _is_ready(product: Product, uuid: str) -> bool:
    """Whether the product has seen the guest, its disk and the volume."""
    found = product.call("GET", f"guests/{uuid}/")
    if found.status != http.client.OK:
        return False
    return any(disk["volume"] == "t.qcow2" for disk in found.body["disks"])


def _clone(product: Product, uuid: str, number: int) -> float:
    """Seconds until the operation has succeeded and the clone is in the API."""
    begun = time.perf_counter()
    told = {"name": f"clone-{number}", "linked": True}
    said = product.call("POST", f"guests/{uuid}/clone/", told)
    if said.status != http.client.ACCEPTED:
        raise RuntimeError(f"The clone was refused: {said.body}")
    path = f"operations/{said.body['id']}/"

    def ended() -> bool:
        state: str = product.call("GET", path).body["state"]
        return state not in {"queued", "running"}

    until(ended, 60, pause=0.005)
    taken = time.perf_counter() - begun
    operation = product.call("GET", path).body
    if operation["state"] != "succeeded":
        raise RuntimeError(f"The clone failed: {operation['error']}")
    made = product.call("GET", f"guests/{operation['result']['guest']}/")
    if made.status != http.client.OK:
        raise RuntimeError("The clone is not shown.")
    return taken
