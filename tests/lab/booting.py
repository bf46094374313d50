"""A CD that boots by BIOS and by UEFI and says so on the serial port; made by GRUB."""

import subprocess
import tempfile
import time
from pathlib import Path
from uuid import UUID

from kvmweb.virt import serial
from kvmweb.virt.types import Address

SAYS = "kvmweb CD started by"
_MENU = f"""
serial --unit=0 --speed=115200
terminal_output serial
set count=0
while true; do
  echo "{SAYS} $grub_platform"
  sleep 1
done
"""


def boot_cd(path: Path) -> None:
    """Write the CD's image there; it has about 10 MB."""
    with tempfile.TemporaryDirectory() as folder:
        menu = Path(folder, "boot/grub/grub.cfg")
        menu.parent.mkdir(parents=True)
        menu.write_text(_MENU)
        words = ["grub-mkrescue", "--locales=", "--themes=", "--fonts="]
        asked = [*words, "-o", str(path), folder]
        subprocess.run(asked, check=True, capture_output=True)


def said_on_serial(address: Address, guest: UUID, wanted: str, seconds: float) -> str:
    """What the guest's serial port says until it has said this. Raises AssertionError."""
    told = b""
    until = time.monotonic() + seconds
    with serial.open_port(address, guest) as port:
        port.settimeout(1)
        while wanted.encode() not in told:
            assert time.monotonic() < until, told[-500:]
            try:
                told += port.recv(4096)
            except TimeoutError:
                continue
    return told.decode(errors="replace")
