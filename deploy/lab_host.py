"""One host of the lab: namespaces, a virtlogd and a libvirtd of its own, maybe an sshd."""

import os
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import BinaryIO
from xml.sax.saxutils import escape  # noqa: TID251  only to quote a name

from deploy import demo, lab_keys, places

_FILES = Path(__file__).parent / "lab_files"
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
_START_S = 60


class LabError(Exception):
    """The lab cannot be had; a sentence that says why."""


def command(*arguments: str) -> str:
    """Run a command to its end. Raises LabError with what it said when it fails."""
    done = subprocess.run(
        arguments, capture_output=True, text=True, check=False, timeout=60
    )
    if done.returncode:
        raise LabError(f"'{' '.join(arguments)}' failed: {done.stderr.strip()}")
    return done.stdout.strip()


@dataclass(frozen=True, slots=True)
class Ground:
    """What the hosts of one lab share."""

    directory: Path
    prefix: str
    bridge: str
    shared: Path
    authority: lab_keys.Authority | None
    ssh_key: lab_keys.SshKey | None


class LabHost:
    """A KVM host as the product sees one, reached at `address` or `socket_path`."""

    def __init__(self, ground: Ground, name: str, address: str) -> None:
        self.name = name
        self.address = address
        self.number = int(name.rsplit("-", 1)[1])
        self.uuid = uuid.uuid5(uuid.NAMESPACE_OID, f"{ground.directory}/{name}")
        self.root = ground.directory / f"host-{self.number}"
        self.socket_path = self.root / "run/libvirt/libvirt-sock"
        self.uri = f"qemu+tcp://{address}/system"
        self.unix_uri = f"qemu+unix:///system?socket={self.socket_path}"
        self.ssh_host_key = ""
        self._ground = ground
        self._keys = self.root / "keys"
        self._children: list[subprocess.Popen[bytes]] = []
        self._keeper_pid = 0

    @property
    def pid(self) -> int:
        """Of its libvirtd. Raises LabError when it does not run."""
        return self._pid("libvirtd")

    def start(self) -> None:
        """Make the namespaces and start the daemons; `Lab.start` waits for them."""
        self._write_files()
        self._connect()
        keeper = ("unshare", "-m", "-u", "sh", str(_FILES / "host"))
        with self._log("host") as log:
            child = subprocess.Popen(
                ["ip", "netns", "exec", self.name, *keeper, str(self.root), self.name],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=_ENVIRONMENT,
                start_new_session=True,
            )
        self._children.append(child)
        self._keeper_pid = child.pid
        with child.stdout as said:  # type: ignore[union-attr]
            if said.readline() != b"ready\n":
                raise LabError(
                    f"{self.name} did not come up: see {self.root}/host.log."
                )
        (self.root / "keeper.pid").write_text(str(child.pid))
        self._daemon("virtlogd", "/usr/sbin/virtlogd", "-p", "/run/virtlogd.pid")
        self.start_libvirtd(wait=False)
        if self._ground.ssh_key:
            settings = str(self._keys / "sshd_config")
            self._daemon("sshd", "/usr/sbin/sshd", "-D", "-e", "-f", settings)

    def start_libvirtd(self, *, wait: bool = True) -> None:
        """Start its libvirtd again after `kill_libvirtd`."""
        kept = str(_FILES / "libvirtd")
        self._daemon("libvirtd", "/bin/sh", kept, "--listen", "-p", "/run/libvirtd.pid")
        if wait:
            self.wait_until_it_answers()

    def kill_libvirtd(self) -> None:
        """SIGKILL, as a crash would; guests stay."""
        pid = self.pid
        os.kill(pid, signal.SIGKILL)
        _wait_for(lambda: not Path(f"/proc/{pid}").exists(), f"{self.name} to end")

    def pause_libvirtd(self) -> None:
        """SIGSTOP: it hangs, connections stay open and get no answer."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume_libvirtd(self) -> None:
        """SIGCONT; harmless when it does not hang or does not run."""
        try:
            os.kill(self.pid, signal.SIGCONT)
        except (LabError, ProcessLookupError):
            return

    def virsh(self, *arguments: str) -> str:
        """What virsh says, on this host's socket. Raises LabError when it fails."""
        return command("virsh", "-q", "-c", self.unix_uri, *arguments)

    def run(self, *arguments: str) -> str:
        """Run a command inside the host's namespaces."""
        return command(*self._inside(), *arguments)

    def define_demo(
        self,
        name: str,
        memory_mib: int = demo.MEMORY_MIB,
        *,
        running: bool = True,
        paused: bool = False,
        network: str = "default",
        disk_mib: int = 0,
    ) -> uuid.UUID:
        """A demo guest, started unless told otherwise; its UUID.

        `paused` leaves it stopped at its first instruction: 16 MiB are then enough.
        `network` may be "" for none; `disk_mib` adds a qcow2 disk as vda.
        """
        kernel, initrd = demo.parts(places.data_dir())
        text = Template((_FILES / "guest.xml").read_text()).substitute(
            name=escape(name),
            memory_mib=memory_mib,
            kernel=kernel,
            initrd=initrd,
            cmdline=demo.COMMAND_LINE,
            disk=self._disk(name, disk_mib) if disk_mib else "",
            nic=_NIC.substitute(network=escape(network)) if network else "",
        )
        path = self.root / "guest.xml"
        path.write_text(text)
        self.virsh("define", str(path))
        if running or paused:
            self.virsh("start", "--domain", name, *(["--paused"] if paused else []))
        return uuid.UUID(self.virsh("domuuid", "--domain", name))

    def qemu_pid(self, domain: str) -> int:
        """The process of a running guest."""
        path = self.root / "run/libvirt/qemu" / f"{domain}.pid"
        if not path.exists():
            raise LabError(f"{domain} does not run on {self.name}.")
        return int(path.read_text())

    def wait_until_it_answers(self) -> None:
        """Until libvirtd takes connections; Raises LabError after a minute."""

        def answers() -> bool:
            asked = ["virsh", "-q", "-c", self.uri, "hostname"]
            return not subprocess.run(
                asked, capture_output=True, check=False
            ).returncode

        _wait_for(answers, f"{self.name} to answer; see {self.root}/var/log/libvirt")

    def reap(self) -> None:
        """Collect the processes this host had, once they were ended."""
        for child in self._children:
            child.wait(10)
        self._children.clear()

    def _disk(self, name: str, size_mib: int) -> str:
        path = self.root / "var/lib/libvirt/images" / f"{name}.qcow2"
        command("qemu-img", "create", "-q", "-f", "qcow2", str(path), f"{size_mib}M")
        return _DISK.substitute(path=f"/var/lib/libvirt/images/{escape(name)}.qcow2")

    def _pid(self, daemon: str) -> int:
        try:
            pid = int((self.root / "run" / f"{daemon}.pid").read_text())
            os.kill(pid, 0)
        except (OSError, ValueError) as error:
            raise LabError(f"{daemon} of {self.name} does not run.") from error
        return pid

    def _inside(self) -> tuple[str, ...]:
        pid = self._keeper_pid or int((self.root / "keeper.pid").read_text())
        return ("nsenter", "-t", str(pid), "-m", "-u", "-n", "--")

    def _daemon(self, name: str, *argv: str) -> None:
        with self._log(name) as log:
            child = subprocess.Popen(
                [*self._inside(), *argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=_ENVIRONMENT,
                start_new_session=True,
            )
        self._children.append(child)

    def _log(self, name: str) -> BinaryIO:
        return (self.root / f"{name}.log").open("ab")

    def _connect(self) -> None:
        link = f"{self._ground.prefix}v{self.number}"
        command("ip", "netns", "add", self.name)
        peer = ("peer", "name", "eth0", "netns", self.name)
        command("ip", "link", "add", link, "type", "veth", *peer)
        command("ip", "link", "set", link, "master", self._ground.bridge, "up")
        inside = ("ip", "-n", self.name)
        command(*inside, "addr", "add", f"{self.address}/24", "dev", "eth0")
        command(*inside, "link", "set", "eth0", "up")

    def _write_files(self) -> None:
        etc = self.root / "etc/libvirt"
        for folder in _FOLDERS:
            (self.root / folder).mkdir(parents=True)
        self._keys.chmod(0o700)
        shutil.copy(_FILES / "qemu.conf", etc)
        self._fill("libvirtd.conf", etc / "libvirtd.conf")
        self._autostart("network.xml", etc / "qemu/networks/default.xml")
        images = "/var/lib/libvirt/images"
        self._autostart("pool.xml", etc / "storage/default.xml", folder=images)
        self._autostart(
            "pool.xml", etc / "storage/shared.xml", folder=self._ground.shared
        )
        if (filters := Path("/etc/libvirt/nwfilter")).exists():
            shutil.copytree(filters, etc / "nwfilter")
        self._write_keys()

    def _write_keys(self) -> None:
        if self._ground.authority:
            pair = self._ground.authority.server(self.name, self.address)
            lab_keys.write(self._keys / "ca.pem", self._ground.authority.pem)
            lab_keys.write(self._keys / "server.pem", pair.certificate)
            lab_keys.write(self._keys / "server-key.pem", pair.key)
        if self._ground.ssh_key:
            key = lab_keys.ssh_key()
            self.ssh_host_key = key.public
            lab_keys.write(self._keys / "ssh_host_key", key.private)
            lab_keys.write(self._keys / "authorized_keys", self._ground.ssh_key.public)
            self._fill("sshd_config", self._keys / "sshd_config")

    def _fill(self, template: str, path: Path, **words: object) -> None:
        words = {
            "name": path.stem,
            "uuid": self.uuid,
            "address": self.address,
            "keys": self._keys,
            "tls": int(self._ground.authority is not None),
        } | words
        path.write_text(Template((_FILES / template).read_text()).substitute(words))

    def _autostart(self, template: str, path: Path, **words: object) -> None:
        own = uuid.uuid5(self.uuid, path.name)
        self._fill(template, path, uuid=own, **words)
        within = Path("/") / path.relative_to(self.root)
        (path.parent / "autostart" / path.name).symlink_to(within)


_FOLDERS = (
    "dev",
    "keys",
    "run/libvirt",
    "run/lock",
    "run/sshd",
    "var/cache/libvirt",
    "var/lib/libvirt/images",
    "var/log/libvirt/qemu",
    "etc/libvirt/qemu/networks/autostart",
    "etc/libvirt/storage/autostart",
)
_NIC = Template(
    "<interface type='network'><source network='$network'/>"
    "<model type='virtio'/></interface>"
)
_DISK = Template(
    "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
    "<source file='$path'/><target dev='vda' bus='virtio'/></disk>"
)


def _wait_for(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _START_S
    while not true():
        if time.monotonic() > deadline:
            raise LabError(f"Waited {_START_S} s in vain for {what}.")
        time.sleep(0.05)
