"""Emulated KVM hosts on one machine: real libvirt daemons in namespaces of their own.

    with Lab(Path("/tmp/mine"), "mine") as lab:
        lab.hosts[0].define_demo("web")

Needs root. A lab of the same prefix that a crash left behind is removed at start.
"""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy import lab_keys
from deploy.lab_host import Ground, LabError, LabHost, command

SOCKET_PATH_LIMIT = 107  # of the kernel, for a Unix socket's path


class Lab:
    """Hosts on one bridge. `shared` is a folder that all of them see, by one path."""

    def __init__(
        self,
        directory: Path,
        name_prefix: str,
        hosts: int = 2,
        subnet: str | None = None,
        *,
        tls: bool = False,
        ssh: bool = False,
    ) -> None:
        """`subnet` is the first three bytes ("10.77.3"); without it a free one is taken."""
        if not re.fullmatch(r"[a-z][a-z0-9]{0,9}", name_prefix):
            raise LabError(
                f"{name_prefix!r} cannot name a lab: up to ten small letters and digits."
            )
        self.directory = directory.resolve()
        self.prefix = name_prefix
        self.bridge = f"{name_prefix}br"
        self.shared = self.directory / "shared"
        self.authority = lab_keys.Authority() if tls else None
        self.client = self.authority.client("kvmweb") if self.authority else None
        self.ssh_key = lab_keys.ssh_key() if ssh else None
        subnet = subnet or _free_subnet(name_prefix)
        self.gateway = f"{subnet}.1"
        ground = Ground(
            self.directory,
            name_prefix,
            self.bridge,
            self.shared,
            self.authority,
            self.ssh_key,
        )
        self.hosts = [
            LabHost(ground, f"{name_prefix}-{number}", f"{subnet}.{10 + number}")
            for number in range(1, hosts + 1)
        ]

    def start(self) -> Self:
        """Bring every host up; takes a second or two. Removes everything if it fails."""
        self._fits()
        self.stop()
        try:
            self.shared.mkdir(parents=True)
            command("ip", "link", "add", self.bridge, "type", "bridge")
            command("ip", "addr", "add", f"{self.gateway}/24", "dev", self.bridge)
            command("ip", "link", "set", self.bridge, "up")
            for host in self.hosts:
                host.start()
            for host in self.hosts:
                host.wait_until_it_answers()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Remove every process, namespace, link and file of this lab, also of a crashed one."""
        for host in self.hosts:
            host.resume_libvirtd()
        remove(self.prefix)
        for host in self.hosts:
            host.reap()
        for found in self.directory.glob("host-*"):
            shutil.rmtree(found)
        if self.shared.exists():
            shutil.rmtree(self.shared)
        if self.directory.exists() and not any(self.directory.iterdir()):
            self.directory.rmdir()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _fits(self) -> None:
        if os.geteuid() != 0:
            raise LabError("The lab makes network namespaces: run it as root.")
        if missing := [
            name
            for name in ("ip", "nsenter", "unshare", "libvirtd", "virtlogd", "virsh")
            if shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin") is None
        ]:
            raise LabError(
                f"The lab needs {', '.join(missing)}: 'make lab' installs it."
            )
        longest = max(len(str(host.socket_path)) for host in self.hosts)
        if longest > SOCKET_PATH_LIMIT:
            raise LabError(f"{self.directory} is too long a path for a Unix socket.")


def remove(prefix: str) -> None:
    """End every process and remove every namespace and link of the lab named so."""
    names = [name for name in _namespaces() if re.fullmatch(rf"{prefix}-\d+", name)]
    for name in names:
        _empty(name)
        command("ip", "netns", "del", name)
    links = subprocess.run(
        ["ip", "-o", "link"], capture_output=True, text=True, check=True
    ).stdout
    for link in re.findall(rf"^\d+: ({prefix}(?:br|v\d+))[@:]", links, re.MULTILINE):
        # A namespace's own end may take its link away at any moment.
        subprocess.run(["ip", "link", "del", link], capture_output=True, check=False)


def remove_left_behind(word: str) -> None:
    """Remove the labs named `word` + a process id, where that process is no more."""
    for name in _namespaces():
        found = re.fullmatch(rf"({word}(\d+))-\d+", name)
        if found and not Path("/proc", found[2]).exists():
            remove(found[1])


def _namespaces() -> list[str]:
    place = Path("/run/netns")
    return sorted(path.name for path in place.iterdir()) if place.exists() else []


def _empty(name: str) -> None:
    deadline = time.monotonic() + 10
    while pids := _pids(name):
        if time.monotonic() > deadline:
            raise LabError(f"Processes {pids} of {name} do not end.")
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.02)


def _pids(name: str) -> list[int]:
    """Live processes of a namespace; those that only wait to be reaped have none."""
    said = subprocess.run(
        ["ip", "netns", "pids", name], capture_output=True, text=True, check=True
    )
    return [int(pid) for pid in said.stdout.split()]


def _free_subnet(prefix: str) -> str:
    taken = subprocess.run(
        ["ip", "-4", "route"], capture_output=True, text=True, check=True
    ).stdout
    start = int.from_bytes(hashlib.sha256(prefix.encode()).digest()[:4])
    for step in range(4096):
        third, second = (start + step) % 256, 64 + (start + step) // 256 % 64
        subnet = f"10.{second}.{third}"
        if f"{subnet}." not in taken:
            return subnet
    raise LabError("No private network is free for a lab.")
