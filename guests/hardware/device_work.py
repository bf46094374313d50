"""Devices of the host given to a guest and taken back, in a worker."""

from collections.abc import Callable
from typing import Any

from guests.creation import devices
from guests.creation.parts import Given
from guests.hardware.machine import Machine, changed
from guests.hardware.parts import copied, find_hostdev
from guests.hardware.work import again, outcome
from guests.work import allowed
from kvmweb.accounts.gate import Right
from kvmweb.operations.registry import work
from kvmweb.operations.run import Run
from kvmweb.virt.xml.devices import Hostdev
from kvmweb.virt.xml.domain import Domain

_may = allowed(Right.HOST_DEVICES)


@work("guest.device-add", allowed=_may, recover=again)
def add(run: Run) -> dict[str, Any]:
    """Give it a device of its host."""
    device = devices.hostdev(Given(**run.params["given"]))
    find = _finding(device)
    why = changed(run, lambda machine: machine.plug(device, find, _add))
    what = f"the host device {run.params['words']}"
    return outcome(run, what, "added", why, device=run.params["device"])


@work("guest.device-remove", allowed=_may, recover=again)
def remove(run: Run) -> dict[str, Any]:
    """Take the device back."""
    find = _finding(devices.hostdev(Given(**run.params["given"])))

    def pull(machine: Machine) -> str:
        return machine.unplug(find, lambda doc, found: doc.hostdevs.remove(found))

    what = f"the host device {run.params['words']}"
    return outcome(
        run, what, "removed", changed(run, pull), device=run.params["device"]
    )


def _finding(device: Hostdev) -> Callable[[Domain], Hostdev | None]:
    return lambda doc: find_hostdev(doc, device)


def _add(doc: Domain, device: Hostdev) -> None:
    if find_hostdev(doc, device) is None:
        doc.hostdevs.add(copied(device))
