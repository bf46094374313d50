"""What tests of moves ask of the lab: who has a guest, and faults to try."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from deploy.lab import Lab
from deploy.lab_host import LabHost, command
from deploy.product import Product


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
    return lambda: command("ip", "link", "set", link, "up") and None
