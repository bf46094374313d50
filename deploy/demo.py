"""The demo guest: Debian's cloud kernel and busybox, a text screen and a serial shell.

Nothing of it is installed: two packages are fetched, unpacked and thrown away.
"""

import filecmp
import gzip
import hashlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from deploy.places import ROOT

COMMAND_LINE = (
    "console=tty1 console=ttyS0 quiet loglevel=3 consoleblank=0 nokaslr panic=5"
)
READY = "kvmweb demo ready"  # the line on the serial port once it is up
MEMORY_MIB = 96  # the least it is comfortable with
KERNEL, INITRD, _SIGN = "vmlinuz", "initrd", "made-from"

_GUEST = Path(__file__).parent / "guest"
_BOOT = Path("/var/lib/libvirt/boot")  # where libvirt lets QEMU read kernels
_DRIVERS = (  # what a libvirt guest is usually given; keyboard and screen are built in
    "button",
    "evdev",
    "virtio_pci",
    "virtio_balloon",
    "virtio_input",
    "virtio-rng",
    "virtio_blk",
    "virtio_net",
    "virtio_console",
)
_FOLDERS = ("bin", "dev", "etc", "etc/acpi", "etc/acpi/PWRF", "modules", "proc", "sys")
_PLACES = {  # where each of the guest's own files goes
    "init": "init",
    "inittab": "etc/inittab",
    "banner": "etc/banner",
    "start": "etc/start",
    "address": "etc/address",
    "screen": "etc/screen",
    "serial": "etc/serial",
    "power": "etc/acpi/PWRF/00000080",
    "busy": "bin/busy",
    "fill": "bin/fill",
    "addresses": "bin/addresses",
}


class DemoError(Exception):
    """The demo guest cannot be made; a sentence that says what to do."""


def parts(data_dir: Path) -> tuple[Path, Path]:
    """The kernel and the initial RAM disk, made on first use under `data_dir`/demo.

    Those that set-up made in the usual data folder serve others, too.
    Raises DemoError when Debian's packages cannot be fetched.
    """
    if found := _made(data_dir):
        return found
    made = data_dir / "demo"
    kernel, initrd = made / KERNEL, made / INITRD
    made.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=made, prefix="making-") as scratch:
        work = Path(scratch)
        _unpack("busybox-static", work)
        _unpack(_kernel_package(), work)
        (work / INITRD).write_bytes(_initrd(work))
        # Whole files appear at once: several processes may ask at the same time.
        next((work / "boot").glob("vmlinuz-*")).rename(kernel)
        (work / INITRD).rename(initrd)
        (work / _SIGN).write_text(_sign())
        (work / _SIGN).rename(made / _SIGN)
    return kernel, initrd


def is_made(data_dir: Path) -> bool:
    """Whether `parts` would answer at once."""
    return _made(data_dir) is not None


def parts_for_qemu(data_dir: Path) -> tuple[Path, Path]:
    """Copies of the parts that this machine's QEMU may read: it runs as another user.

    They stand where libvirt keeps kernels: QEMU cannot enter `data_dir`.
    Raises DemoError when that place is not ours to write to.
    """
    copies = []
    for part in parts(data_dir):
        copy = _BOOT / f"kvmweb-demo-{part.name}"
        try:
            if not copy.exists() or not filecmp.cmp(part, copy, shallow=False):
                fresh = copy.with_suffix(".new")
                shutil.copyfile(part, fresh)
                fresh.chmod(0o644)
                fresh.replace(copy)
        except OSError as error:
            raise DemoError(f"{copy} cannot be written: {error.strerror}.") from error
        copies.append(copy)
    return copies[0], copies[1]


def _made(data_dir: Path) -> tuple[Path, Path] | None:
    for made in (ROOT / "var/demo", data_dir / "demo"):
        sign = made / _SIGN
        if sign.exists() and sign.read_text() == _sign():
            return made / KERNEL, made / INITRD
    return None


def _sign() -> str:
    """What the parts were made from; they are made anew when it changes."""
    words = [(_GUEST / name).read_text() for name in _PLACES]
    return hashlib.sha256("\0".join((*words, *_DRIVERS)).encode()).hexdigest()


def _kernel_package() -> str:
    asked = ["apt-cache", "depends", "--important", "linux-image-cloud-amd64"]
    answer = subprocess.run(asked, capture_output=True, text=True, check=False)
    for line in answer.stdout.splitlines():
        if line.strip().startswith("Depends: linux-image-"):
            return line.split()[-1]
    raise DemoError(
        "Debian's cloud kernel is not in the package lists: run 'apt-get update'."
    )


def _unpack(package: str, work: Path) -> None:
    _command(work, "apt-get", "download", "-q", package)
    archive = next(work.glob(f"{package}_*.deb"))
    _command(work, "dpkg", "-x", archive.name, ".")


def _command(work: Path, *arguments: str) -> None:
    done = subprocess.run(
        arguments, cwd=work, capture_output=True, text=True, check=False, timeout=300
    )
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise DemoError(
            f"'{' '.join(arguments)}' failed: {said} "
            "Is the network there, and 'apt-get update' recent?"
        )


def _initrd(work: Path) -> bytes:
    archive = bytearray()
    for inode, (name, mode, content) in enumerate(_tree(work), start=1):
        archive += _entry(inode, name, mode, content)
    archive += _entry(0, "TRAILER!!!", 0, b"")
    return gzip.compress(bytes(archive), compresslevel=6, mtime=0)


def _tree(work: Path) -> Iterator[tuple[str, int, bytes]]:
    """Name, mode and content of everything in the initial RAM disk, folders first."""
    for folder in _FOLDERS:
        yield folder, 0o040755, b""
    yield "bin/busybox", 0o100755, (work / "bin/busybox").read_bytes()
    for name, place in _PLACES.items():
        yield place, 0o100755, (_GUEST / name).read_bytes()
    order = []
    for module in _with_what_they_need(work / "lib"):
        order.append(module.name)
        yield f"modules/{module.name}", 0o100644, module.read_bytes()
    yield "modules/order", 0o100644, "".join(f"{name}\n" for name in order).encode()


def _with_what_they_need(lib: Path) -> list[Path]:
    """The drivers' files, each after those it needs; what is built in has no file."""
    found = {path.stem.replace("-", "_"): path for path in lib.rglob("*.ko")}
    ordered: list[Path] = []

    def add(name: str) -> None:
        path = found.get(name.replace("-", "_"))
        if path is None or path in ordered:
            return
        said = re.search(rb"\0depends=([^\0]*)\0", path.read_bytes())
        for need in said[1].decode().split(",") if said else ():
            add(need)
        ordered.append(path)

    for driver in _DRIVERS:
        add(driver)
    return ordered


def _entry(inode: int, name: str, mode: int, content: bytes) -> bytes:
    """One member of a cpio archive of the kind kernels read ("newc")."""
    fields = (inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _padded(head + name.encode() + b"\0") + _padded(content)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
