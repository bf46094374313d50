"""How much a real guest waits for CPUs is heard of its host."""

import time

from deploy.lab import Lab
from deploy.lab_host import LabHost
from kvmweb.virt import strain
from kvmweb.virt.opening import open_libvirt
from kvmweb.virt.types import Address, GuestStrain, Transport

CROWD = 4  # that boot at once, on fewer CPUs


def test_guests_that_boot_at_once_wait_for_each_other(lab3: Lab) -> None:
    host = lab3.hosts[2]
    made = [
        host.define_demo(f"crowd-{n}", running=False, network="") for n in range(CROWD)
    ]
    try:
        found = _while_booting(host, [str(uuid) for uuid in made])
    finally:
        for uuid in map(str, made):
            if host.virsh("domstate", uuid) == "running":
                host.virsh("destroy", uuid)
            host.virsh("undefine", uuid)
    told = {each.uuid: each for each in found}
    assert set(made) <= set(told)
    waited = [told[uuid].delay_percent for uuid in made]
    assert all(0 <= percent <= 100 for percent in waited)
    assert max(waited) > 0


def _while_booting(host: LabHost, made: list[str]) -> tuple[GuestStrain, ...]:
    with open_libvirt(Address(Transport.TCP, host=host.address)) as conn:
        meter = strain.StrainMeter(lambda: conn)
        for uuid in made:
            host.virsh("start", uuid)
        assert meter.look() == ()  # one look is no difference yet
        time.sleep(2)
        return meter.look()
