"""What tests of moves ask of the lab: who has a guest, and faults to try."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from deploy.lab import Lab
from deploy.lab_host import LabHost, command
from deploy.product import Product, Reply
from tests.scene import ended, guest
from tests.waiting import until


def added(product: Product, host: LabHost, **about: Any) -> int:
    """The lab host, added to the product over TCP unless told otherwise; its id."""
    over_tcp = {"transport": "tcp", "address": host.address}
    body = {
        "name": host.name,
        "migration_address": host.address,
        "virt_type": "qemu",
        **(about or over_tcp),
    }
    said = product.call("POST", "hosts/", body)
    assert said.status == 201, said.body
    return int(said.body["id"])


def homes(lab: Lab, uuid: UUID | str) -> dict[str, str]:
    """The hosts that know the guest, and what virsh calls its state there."""
    found = {}
    for host in lab.hosts:
        if str(uuid) in host.virsh("list", "--all", "--uuid").split():
            found[host.name] = host.virsh("domstate", str(uuid))
    return found


def cut_off(lab: Lab, host: LabHost) -> Callable[[], None]:
    """Take the host's network away; call the answer to give it back."""
    link = f"{lab.prefix}v{host.number}"
    command("ip", "link", "set", link, "down")

    def mend() -> None:
        command("ip", "link", "set", link, "up")

    return mend


def host_ids(product: Product) -> dict[str, int]:
    """The product's number of each host, by name."""
    items = product.call("GET", "hosts/").body["items"]
    return {each["name"]: int(each["id"]) for each in items}


def ask_move(
    product: Product, uuid: str, to: LabHost | None = None, **wish: Any
) -> Reply:
    """POST a move to this host, or to one that the product chooses."""
    body = dict(wish)
    if to is not None:
        body["host"] = host_ids(product)[to.name]
    return product.call("POST", f"guests/{uuid}/migrate/", body)


def moved(
    product: Product, uuid: str, to: LabHost | None = None, **wish: Any
) -> dict[str, Any]:
    """The operation of a move that came true, and is seen to have."""
    said = ask_move(product, uuid, to, **wish)
    assert said.status == 202, said.body
    operation = ended(product, said.body["id"], 120)
    assert operation["state"] == "succeeded", (operation["message"], operation["log"])
    where = to.name if to else None
    until(lambda: guest(product, uuid)["host_name"] == where or where is None, 10)
    return operation


def on_its_way(product: Product, uuid: str, to: LabHost, **wish: Any) -> str:
    """The operation of a move that has begun to send, and will for some seconds."""
    said = ask_move(product, uuid, to, **{"bandwidth_mib_s": 6} | wish)
    assert said.status == 202, said.body
    operation = str(said.body["id"])
    until(lambda: _sends(product, operation), 30, pause=0.05)
    return operation


def _sends(product: Product, operation: str) -> bool:
    told = product.call("GET", f"operations/{operation}/").body
    assert told["state"] in {"queued", "running"}, told
    return bool(told["result"].get("now", {}).get("sent_bytes", 0) > 1024**2)
