"""A small real Debian 12 with cloud-init as a qcow2 image, made from Debian's packages.

It boots by BIOS and by UEFI, speaks on screen and serial port, and takes its settings
from a NoCloud seed. Made once for a machine, below the cache folder, and kept.
"""

import fcntl
import hashlib
import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.places import log_dir

NAME, VERSION, OS = "Debian 12", "lab", "http://debian.org/debian/12"
VIRTUAL_BYTES = 2 << 30
SUITE = "bookworm"
PACKAGES = (
    "linux-image-cloud-amd64",
    "initramfs-tools",
    "lz4",  # unpacks quickest where CPUs are emulated
    "systemd-sysv",
    "systemd-resolved",
    "dbus",
    "udev",
    "cloud-init",
    "cloud-guest-utils",  # grows the partition
    "qemu-guest-agent",
    "openssh-server",
    "sudo",
    "e2fsprogs",
    "iproute2",
    "iputils-ping",
    "netbase",
    "procps",
    "less",
)
_MASKED = (  # what costs seconds and does nothing for a guest of a lab
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "cloud-config.service",  # its steps run in the stage before
    "cloud-init-hotplugd.socket",
    "systemd-firstboot.service",
    "systemd-pstore.service",
    "systemd-timesyncd.service",
    "systemd-binfmt.service",
    "dev-hugepages.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
)
_ENABLED = ("systemd-networkd.service", "systemd-resolved.service", "ssh.service")
_GENERATOR = "cloud-init-generator"  # looks for a cloud around it; here is none
_LEFT_OUT = (
    "/usr/share/man/*",
    "/usr/share/info/*",
    "/usr/share/doc/*",
    "/usr/share/locale/*",
    "/usr/share/i18n/*",
    "/usr/share/bug/*",
    "/usr/share/lintian/*",
)
_LEFT_BEHIND = (  # by installing; each guest makes its own
    "etc/ssh/ssh_host_*",
    "var/cache/apt/*.bin",
    "var/cache/debconf/*-old",
    "var/lib/dpkg/*-old",
    "var/log/*.log",
    "var/log/apt/*",
)
_FILES = Path(__file__).parent / "debian_files"
_LABEL = "kvmweb-root"
_SECTOR = 512
_BIOS, _EFI, _ROOT = 2048, 4096, 20480  # where the partitions begin, in sectors
_MODULES = ("part_gpt", "ext2", "normal", "linux", "test", "echo")
_PREFIX = "(,gpt1)/boot/grub"  # the first partition of the disk it came from
_TABLE = f"""label: gpt
14: start={_BIOS}, size={_EFI - _BIOS}, type=21686148-6449-6E6F-744E-656564454649
15: start={_EFI}, size={_ROOT - _EFI}, type=U
1: start={_ROOT}, type=L
"""  # numbered as in Debian's own cloud images: the root is first and lies last
_LONGEST_S = 1800


class ImageError(Exception):
    """The image cannot be made or registered; a sentence that says what to do."""


def cached() -> Path:
    """Where this machine keeps the image, made or not; another recipe, another path."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "kvmweb" / f"debian-12-{_sign()[:16]}.qcow2"


def build() -> Path:
    """The image, made on first use: about two minutes. Raises ImageError.

    Those of older recipes are deleted then.
    """
    path = cached()
    if path.exists():
        return path
    _fits()
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(path.parent):
        if not path.exists():
            with tempfile.TemporaryDirectory(dir=path.parent, prefix="making-") as work:
                made = _make(Path(work))
                for old in path.parent.glob("debian-12-*.qcow2"):
                    old.unlink()
                made.rename(path)
    return path


def _make(work: Path) -> Path:
    """The whole image in the folder `work`."""
    root, disk, made = work / "root", work / "disk.raw", work / "disk.qcow2"
    print("Fetching Debian's packages for the lab image", flush=True)
    _install(root)
    _finish(root)
    print("Making the disk", flush=True)
    with disk.open("wb") as file:
        file.truncate(VIRTUAL_BYTES)
    _run("sfdisk", "--quiet", str(disk), told=_TABLE)
    _root_partition(disk, root)
    _boot_by_bios(disk, work)
    _boot_by_uefi(disk, work)
    _run("qemu-img", "convert", "-c", "-O", "qcow2", str(disk), str(made))
    return made


def _install(root: Path) -> None:
    arguments = [
        "--mode=root",
        "--variant=minbase",
        f"--include={','.join(PACKAGES)}",
        f'--essential-hook=cp -rT --no-preserve=mode,ownership {_FILES} "$1"',
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT),
        *_proxies(),
        SUITE,
        str(root),
        *_sources(),
    ]
    _run("mmdebstrap", *arguments)


def _finish(root: Path) -> None:
    """What packages cannot know, and nothing that two guests would share."""
    for word, units in (("mask", _MASKED), ("enable", _ENABLED)):
        _run("chroot", str(root), "systemctl", word, *units)
    for link, target in (
        (f"etc/systemd/system-generators/{_GENERATOR}", "/dev/null"),
        (
            "etc/systemd/system/multi-user.target.wants/cloud-init.target",
            "/lib/systemd/system/cloud-init.target",
        ),
        ("etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf"),
    ):
        (root / link).parent.mkdir(parents=True, exist_ok=True)
        (root / link).unlink(missing_ok=True)
        (root / link).symlink_to(target)
    for pattern in _LEFT_BEHIND:
        for path in root.glob(pattern):
            path.unlink()
    (root / "etc/machine-id").write_text("uninitialized\n")
    (root / "etc/hostname").write_text("debian\n")


def _root_partition(disk: Path, root: Path) -> None:
    blocks = (VIRTUAL_BYTES - _ROOT * _SECTOR - (1 << 20)) // 4096
    _run(
        *("mke2fs", "-q", "-F", "-t", "ext4", "-L", _LABEL, "-m", "1"),
        *("-O", "^metadata_csum_seed,^orphan_file"),  # GRUB cannot read these
        *("-E", f"offset={_ROOT * _SECTOR},lazy_itable_init=0"),
        *("-d", str(root), "-b", "4096", str(disk), str(blocks)),
    )


def _boot_by_bios(disk: Path, work: Path) -> None:
    """GRUB in its own partition, and the sector that the BIOS reads pointing there.

    What grub-install does with a mounted disk, on a file: two numbers say where.
    """
    core = work / "core.img"
    _grub("i386-pc", core, "biosdisk")
    image = bytearray(core.read_bytes())
    struct.pack_into("<Q", image, 500, _BIOS + 1)  # where its second sector is
    first = bytearray(Path("/usr/lib/grub/i386-pc/boot.img").read_bytes())
    struct.pack_into("<Q", first, 92, _BIOS)  # where its first one is
    with disk.open("r+b") as file:
        file.write(first[:440])  # behind these stands the partition table
        file.seek(_BIOS * _SECTOR)
        file.write(image)


def _boot_by_uefi(disk: Path, work: Path) -> None:
    program, system = work / "bootx64.efi", work / "esp.img"
    _grub("x86_64-efi", program, "efi_gop", "all_video")
    with system.open("wb") as file:
        file.truncate((_ROOT - _EFI) * _SECTOR)
    _run("mkfs.vfat", str(system))
    _run("mmd", "-i", str(system), "::/EFI", "::/EFI/BOOT")
    _run("mcopy", "-i", str(system), str(program), "::/EFI/BOOT/BOOTX64.EFI")
    with disk.open("r+b") as file:
        file.seek(_EFI * _SECTOR)
        file.write(system.read_bytes())


def _grub(platform: str, output: Path, *modules: str) -> None:
    words = ("-O", platform, "-p", _PREFIX, "-o", str(output))
    _run("grub-mkimage", *words, *_MODULES, *modules)


def _sources() -> list[str]:
    """This machine's own lines for Debian 12; none: those that mmdebstrap knows."""
    asked = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)"]
    only = ["Created-By: Packages", "Origin: Debian", "Component: main"]
    said = subprocess.run([*asked, *only], capture_output=True, text=True, check=False)
    lines = {
        f"deb {uri} {release} main"
        for uri, release in map(str.split, said.stdout.splitlines())
        if release.split("-")[0] == SUITE
    }
    return (
        sorted(lines) if any(line.endswith(f" {SUITE} main") for line in lines) else []
    )


def _proxies() -> list[str]:
    found = []
    for name in ("Acquire::http::Proxy", "Acquire::https::Proxy"):
        said = subprocess.run(
            ["apt-config", "shell", "WAY", name],
            capture_output=True,
            text=True,
            check=False,
        )
        if way := said.stdout.partition("=")[2].strip().strip("'"):
            found.append(f'--aptopt={name} "{way}"')
    return found


def _sign() -> str:
    """Of the recipe: whatever is changed in it makes another image."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for path in sorted(_FILES.rglob("*")):
        if path.is_file():
            digest.update(
                f"\0{path.relative_to(_FILES)}\0".encode() + path.read_bytes()
            )
    return digest.hexdigest()


def _fits() -> None:
    if os.geteuid() != 0:
        raise ImageError("The image's file system is made by root: run this as root.")
    programs = ("mmdebstrap", "sfdisk", "mke2fs", "mkfs.vfat", "mcopy", "grub-mkimage")
    path = "/usr/sbin:/usr/bin:/sbin:/bin"
    if missing := [name for name in programs if not shutil.which(name, path=path)]:
        raise ImageError(
            f"{', '.join(missing)} is missing: 'make lab-image' installs it."
        )


def _run(*arguments: str, told: str = "") -> None:
    log = log_dir() / "lab-image.log"
    with log.open("ab") as file:
        file.write(f"\n$ {' '.join(arguments)}\n".encode())
        file.flush()
        done = subprocess.run(
            arguments,
            input=told.encode(),
            stdout=file,
            stderr=file,
            check=False,
            timeout=_LONGEST_S,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
        )
    if done.returncode:
        raise ImageError(
            f"{arguments[0]} failed. Is the network there? All it said is in {log}."
        )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two at once: the second waits for the image of the first."""
    with (folder / "lab-image.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
