"""Whether /dev/kvm really runs a Linux guest: some exist and hang every one.

The answer is kept in `kvm.json` of the data folder: {"works": bool, "why": sentence}.
"""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from deploy import demo

_DEVICE = Path("/dev/kvm")
_BOOT_S = 6.0  # a second is plenty where it works


def answer(data_dir: Path) -> dict[str, object]:
    """What was found on the first run; found out now if there was none yet."""
    kept = data_dir / "kvm.json"
    if kept.exists():
        said: dict[str, object] = json.loads(kept.read_text())
        return said
    works, why, sure = _tried(data_dir)
    found: dict[str, object] = {"works": works, "why": why}
    if sure:
        fresh = kept.with_suffix(".new")
        fresh.write_text(json.dumps(found))
        fresh.replace(kept)
    return found


def _tried(data_dir: Path) -> tuple[bool, str, bool]:
    """Whether it works, why, and whether that was really tried."""
    if not _DEVICE.exists():
        return False, "There is no /dev/kvm: guests run emulated, slowly.", True
    qemu = shutil.which("qemu-system-x86_64")
    if qemu is None or not os.access(_DEVICE, os.R_OK | os.W_OK):
        # libvirt opens it as another user: what this one may says nothing of it.
        return True, "/dev/kvm is there; this user could not try it.", False
    try:
        kernel, initrd = demo.parts(data_dir)
    except demo.DemoError as error:
        return True, f"/dev/kvm is there; it could not be tried: {error}", False
    trouble = _boot([qemu, "-kernel", str(kernel), "-initrd", str(initrd)])
    if trouble:
        return False, f"/dev/kvm is there, but {trouble}: guests run emulated.", True
    return True, "/dev/kvm booted a guest.", True


def _boot(command: list[str]) -> str:
    """Boot the demo guest by KVM; what went wrong, "" when nothing did."""
    with tempfile.TemporaryDirectory(prefix="kvmweb-") as folder:
        serial, said = Path(folder, "serial"), Path(folder, "said")
        with said.open("wb") as errors:
            guest = subprocess.Popen(
                [
                    *command,
                    *("-accel", "kvm", "-m", str(demo.MEMORY_MIB), "-nodefaults"),
                    *("-display", "none", "-no-reboot"),
                    *("-append", demo.COMMAND_LINE, "-serial", f"file:{serial}"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
            )
        try:
            deadline = time.monotonic() + _BOOT_S
            while guest.poll() is None and time.monotonic() < deadline:
                if serial.exists() and demo.READY in serial.read_text(errors="replace"):
                    return ""
                time.sleep(0.05)
        finally:
            guest.kill()
            ended_itself = guest.wait() != -signal.SIGKILL
        last = (said.read_text(errors="replace").strip().splitlines() or [""])[-1]
    if ended_itself:
        return f"QEMU ended with it ({last})"
    return f"a guest did not boot within {_BOOT_S:g} s"
