"""A guest whose agent is played by the test: real libvirt and QEMU, a mock at the far end.

QEMU and libvirt both come to our socket; the guest itself only holds its end of the
channel open, so that libvirt believes an agent listens. What is said to libvirt then is
ours: the truth, a lie, or nothing.
"""

import html
import json
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deploy import demo, places
from deploy.lab_host import LabHost

NS = 10**9
Answer = Callable[[dict[str, Any]], Any]
HOLD = (
    "B=/bin/busybox; $B mount -t devtmpfs dev /dev; cd /modules; "
    "while read -r m; do $B insmod $m; done < order; "
    "exec $B cat /dev/vport*"
)


def now_ns(_asked: dict[str, Any]) -> int:
    """A clock that is a minute early."""
    return time.time_ns() + 60 * NS


TRUE = {
    "guest-get-host-name": {"host-name": "web"},
    "guest-get-osinfo": {
        "id": "debian",
        "pretty-name": "Debian 12",
        "version-id": "12",
        "kernel-release": "6.1",
        "machine": "x86_64",
    },
    "guest-get-timezone": {"zone": "CET", "offset": 3600},
    "guest-get-users": [{"user": "root", "login-time": 1700000000.5}],
    "guest-get-fsinfo": [
        {
            "name": "vda1",
            "mountpoint": "/",
            "type": "ext4",
            "used-bytes": 250,
            "total-bytes": 1000,
            "disk": [],
        }
    ],
    "guest-get-time": now_ns,
    "guest-set-time": {},
    "guest-set-user-password": {},
    "guest-ssh-add-authorized-keys": {},
    "guest-fsfreeze-freeze": 2,
    "guest-fsfreeze-thaw": 2,
}


class MockAgent:
    """Answers what libvirt asks by `answers`: command to value, or a function of it.

    A command that is missing there is unknown to this agent, as with an older one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.answers: dict[str, Any] = {"guest-info": {"version": "mock"}}
        self.asked: list[dict[str, Any]] = []
        self.faults: dict[str, str] = {}  # what it says to commands that it refuses
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        self._listener.close()
        self.path.unlink(missing_ok=True)

    def commands(self, name: str) -> list[dict[str, Any]]:
        """The arguments of each time libvirt asked this."""
        return [
            each.get("arguments", {}) for each in self.asked if each["execute"] == name
        ]

    def _accept(self) -> None:
        try:
            while True:
                peer = self._listener.accept()[0]
                threading.Thread(target=self._serve, args=(peer,), daemon=True).start()
        except OSError:
            return

    def _serve(self, peer: socket.socket) -> None:
        with peer, peer.makefile("rb") as lines:
            try:
                for line in lines:
                    said = self._answer(json.loads(line.lstrip(b"\xff")))
                    if said is not None:
                        peer.sendall(json.dumps(said).encode() + b"\n")
            except (OSError, ValueError):
                return

    def _answer(self, asked: dict[str, Any]) -> dict[str, Any] | None:
        name = asked["execute"]
        if name.startswith("guest-sync"):
            return {"return": asked["arguments"]["id"]}
        self.asked.append(asked)
        if name in self.faults:
            return {"error": {"class": "GenericError", "desc": self.faults[name]}}
        if name not in self.answers:
            return {"error": {"class": "CommandNotFound", "desc": "It is not known."}}
        value = self.answers[name]
        told = value(asked.get("arguments", {})) if callable(value) else value
        return None if told is ... else {"return": told}


def define(host: LabHost, name: str, agent: MockAgent) -> str:
    """A guest with this agent, running; its UUID."""
    kernel, initrd = demo.parts(places.data_dir())
    command = f'rdinit=/bin/busybox console=ttyS0 panic=5 -- sh -c "{HOLD}"'
    xml = f"""<domain type='qemu'><name>{name}</name><memory unit='MiB'>96</memory>
      <os><type arch='x86_64' machine='q35'>hvm</type><kernel>{kernel}</kernel>
        <initrd>{initrd}</initrd><cmdline>{html.escape(command)}</cmdline></os>
      <features><acpi/></features><on_crash>destroy</on_crash>
      <devices><serial type='pty'/><channel type='unix'>
        <source mode='connect' path="{html.escape(str(agent.path))}"/>
        <target type='virtio' name='org.qemu.guest_agent.0'/></channel></devices>
      </domain>"""
    path = host.root / f"{name}.xml"
    path.write_text(xml)
    host.virsh("define", str(path))
    host.virsh("start", name)
    return host.virsh("domuuid", name)
