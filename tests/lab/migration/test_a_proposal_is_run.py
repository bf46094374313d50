"""Guests that wait for CPUs are moved by a click on the proposal, and run there."""

from collections.abc import Callable
from typing import Any

import pytest

from deploy.lab import Lab
from deploy.product import Product
from tests.lab.migration.ground import homes, host_ids
from tests.scene import ended, guest
from tests.waiting import until

pytestmark = pytest.mark.lab
Mover = Callable[..., str]
_STRAIN = """
from django.utils import timezone
from guests.balance.models import Strain
for guest in {guests}:
    Strain.objects.update_or_create(
        guest=guest,
        defaults=dict(delay_percent=80, wait_percent=0, at=timezone.now()),
    )
"""


def _proposed(product: Product, guests: list[str]) -> dict[str, Any]:
    """What is proposed once these were seen to wait for most of their time.

    A host measures it every half minute; here it is as if it just had, again and again
    until both other hosts are well enough to take one.
    """
    found: dict[str, Any] = {}

    def is_made() -> bool:
        product.manage("shell", "-c", _STRAIN.format(guests=guests))
        found.update(product.call("GET", "balance/proposal/").body)
        return any(it["guest"] in guests for it in found["moves"])

    until(is_made, 30, pause=1, why="Nothing is proposed.")
    return found


def test_the_chosen_move_is_made_and_no_other(
    lab3: Lab, moving_product: Product, mover: Mover
) -> None:
    first = lab3.hosts[0]
    crowd = [mover(f"crowd-{number}", memory_mib=64) for number in range(2)]
    proposal = _proposed(moving_product, crowd)
    assert proposal["gain_percent"] > 0
    move = next(it for it in proposal["moves"] if it["guest"] in crowd)
    assert move["from_host_name"] == first.name
    assert "It waits for 0.80 CPUs" in move["why"][0]
    chosen = {"guest": move["guest"], "to_host": move["to_host"]}
    said = moving_product.call("POST", "balance/run/", {"moves": [chosen]})
    assert said.status == 202, said.body
    operation = ended(moving_product, said.body["id"], 60)
    assert operation["state"] == "succeeded", operation
    assert len(operation["children"]) == 1
    target = move["to_host_name"]
    assert host_ids(moving_product)[target] == move["to_host"]
    assert homes(lab3, move["guest"]) == {target: "running"}
    until(
        lambda: guest(moving_product, move["guest"])["host_name"] == target,
        10,
    )
    (other,) = set(crowd) - {move["guest"]}
    assert homes(lab3, other) == {first.name: "running"}
