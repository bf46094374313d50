"""`make lab` and `make lab-down`: a lab beside the running product, and in it."""

import json
import os
import sys
import zlib
from pathlib import Path

from deploy import demo, processes
from deploy.lab import Lab
from deploy.lab_host import LabError, LabHost
from deploy.places import data_dir

_GUESTS = {1: ("web", "db"), 2: ("mail",)}  # by the host's number; others have one


def main(verb: str) -> int:
    """Bring the lab up or take it down; the exit status."""
    try:
        return _up() if verb == "up" else _down()
    except (LabError, demo.DemoError) as error:
        print(error, file=sys.stderr)
        return 1


def _up() -> int:
    words = os.environ.get("LAB_HOSTS") or "2"
    if not words.isdecimal() or not 1 <= int(words) <= 20:
        raise LabError(f"LAB_HOSTS is {words!r}: it must be a number from 1 to 20.")
    if _state().exists():
        print("Removing the lab that was there")
        _down()
    print(f"Starting {words} emulated KVM hosts")
    lab = Lab(_folder(), _free_prefix(), int(words))
    # Written first: what a crash leaves behind is found again.
    _state().write_text(json.dumps([host.name for host in lab.hosts]))
    lab.start()
    for host in lab.hosts:
        guests = _GUESTS.get(host.number, (f"guest{host.number}",))
        for guest in guests:
            host.define_demo(guest)
        _add(host)
        print(f"  {host.name} at {host.address}, with {' and '.join(guests)}")
    first, last = lab.hosts[0], lab.hosts[-1]
    there = f"to {last.name}" if first is not last else "to another host"
    print(
        f"\nTry: migrate 'web' from {first.name} {there} in the browser,"
        f"\n     virsh -c {first.uri} list"
        f"\n     kill -STOP {first.pid}    ({first.name} hangs; -CONT wakes it)"
        "\n     make lab-down"
    )
    return 0


def _down() -> int:
    if not _state().exists():
        print("There is no lab")
        return 0
    names = json.loads(_state().read_text())
    for name in names:
        _manage("remove_host", name)
    Lab(_folder(), names[0].rpartition("-")[0], len(names)).stop()
    _state().unlink()
    print("The lab is gone")
    return 0


def _free_prefix() -> str:
    """`lab`, unless another product on this machine has a lab of that name."""
    if not Path("/run/netns/lab-1").exists():
        return "lab"
    return f"lab{zlib.crc32(str(data_dir()).encode()) % 10000}"


def _folder() -> Path:
    return data_dir() / "lab"


def _add(host: LabHost) -> None:
    there = ("--transport", "tcp", "--address", host.address, "--virt-type", "qemu")
    _manage("add_host", host.name, *there)


def _manage(*arguments: str) -> None:
    """Tell the product. That it cannot be told does not end the lab."""
    try:
        processes.managed(*arguments)
    except processes.ManageError as error:
        print(f"  The product was not told ({' '.join(arguments[:2])}): {error}")


def _state() -> Path:
    return data_dir() / "lab.json"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
