"""This machine's own libvirt: found, or started, without systemd if need be."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from deploy.keeping import Process

_SOCKETS = (  # of the one daemon, or of the modular ones
    Path("/run/libvirt/libvirt-sock"),
    Path("/run/libvirt/virtqemud-sock"),
)
_SYSTEMD = Path("/run/systemd/system")
_UDEV = Path("/run/udev")
_START_S = 10


@dataclass(frozen=True, slots=True)
class Found:
    """What to keep alive for the local host, and a line to show ("" when all is well)."""

    processes: tuple[Process, ...] = ()
    line: str = ""


def prepare() -> Found:
    """Make sure a libvirtd answers here, or say what starts it."""
    if os.environ.get("KVMWEB_LOCAL_HOST") == "off" or answers():
        return Found()
    if obstacle := _obstacle():
        return Found(line=obstacle)
    if _SYSTEMD.exists():
        return _by_systemd()
    _open_kvm()
    return Found((_daemon("virtlogd"), _daemon("libvirtd")), "Starting libvirtd")


def _open_kvm() -> None:
    """Let QEMU's group use /dev/kvm, as udev does on every Debian where it runs.

    While libvirtd may open it and QEMU may not, libvirt 9.0 probes QEMU anew at each look
    into its capabilities: a define then takes a minute. A container is given the device
    with the number that the group has outside.
    """
    kvm = Path("/dev/kvm")
    with contextlib.suppress(OSError, LookupError):
        if not _UDEV.exists() and _group_of(kvm) in {"root", ""}:
            shutil.chown(kvm, group="kvm")
            kvm.chmod(0o660)


def _group_of(path: Path) -> str:
    """The group's name; "" for one that this machine does not know."""
    try:
        return path.group()
    except KeyError:
        return ""


def answers() -> bool:
    """Whether a libvirtd takes connections on this machine."""
    return any(_connects(path) for path in _SOCKETS)


def _obstacle() -> str:
    """Why this user cannot start libvirtd here; "" when they can."""
    if any(path.exists() and not os.access(path, os.W_OK) for path in _SOCKETS):
        return (
            "libvirtd runs here, but this user may not use it: "
            "join the group 'libvirt' and sign in again."
        )
    if shutil.which("libvirtd", path="/usr/sbin:/usr/bin") is None:
        return "There is no libvirtd here: this machine is not a host."
    if os.geteuid() != 0:
        return (
            "No libvirtd runs here, and only root may start it: "
            "as root, run 'systemctl start libvirtd'."
        )
    return ""


def _by_systemd() -> Found:
    command = ["systemctl", "start", "libvirtd"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    deadline = time.monotonic() + _START_S
    while not done.returncode and time.monotonic() < deadline:
        if answers():
            return Found(line="Started libvirtd by systemd")
        time.sleep(0.1)
    return Found(
        line="systemd could not start libvirtd: see 'journalctl -u libvirtd'. "
        f"{done.stderr.strip()}"
    )


def _daemon(name: str) -> Process:
    """A plain child. Guests are not its children: they outlive it."""
    adopting = (sys.executable, "-m", "deploy.adopting", f"/usr/sbin/{name}")
    return Process(name, adopting, base=True)


def _connects(path: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(2)
            probe.connect(str(path))
    except OSError:
        return False
    return True
