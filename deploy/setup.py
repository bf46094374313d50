"""Installs what is missing: system packages, `.venv`, front-end packages.

    python3 -m deploy.setup run|lab|image|test

Runs before anything is installed. One line for each thing done, nothing when all is
there; what the tools said goes to a log. Stamps make the second time cost no tool.
"""

import errno
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy import demo, packages
from deploy.places import ROOT, data_dir, log_dir

_VENV = ROOT / ".venv"
_NODE = ROOT / "node_modules"
_DPKG = Path("/var/lib/dpkg/status")
_POLICY = Path("/usr/sbin/policy-rc.d")
_SPACE_MIB = 2048  # what an installation may take
_WANTED = {
    "run": packages.RUN,
    "lab": packages.LAB,
    "image": packages.IMAGE,
    "test": packages.TEST,
}


class SetupError(Exception):
    """It cannot be installed; one sentence that says what to do."""


def main(purpose: str) -> int:
    """Install for `run`, `lab`, `image` or `test`; the exit status."""
    try:
        with _alone():
            _system_packages(purpose)
            _python_packages("requirements-dev.txt" if purpose == "test" else "")
            _front_end_packages(dev=purpose == "test")
            _demo_parts()
    except SetupError as error:
        print(f"Set-up stopped: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        print("Set-up stopped: the disk is full. Free some space.", file=sys.stderr)
        return 1
    return 0


def _system_packages(purpose: str) -> None:
    names = _WANTED[purpose]
    stamp = data_dir() / "stamps" / f"packages-{purpose}"
    sign = ""
    if _DPKG.exists():
        sign = _packages_sign(names)
        if stamp.exists() and stamp.read_text() == sign:
            return
    elif all(map(shutil.which, packages.PROGRAMS)):
        return
    missing = _missing(names)
    if missing:
        line = f"apt-get install --no-install-recommends {' '.join(missing)}"
        if shutil.which("apt-get") is None:
            raise SetupError(
                "This is neither Debian nor Ubuntu, and programs are missing; "
                f"install what gives you {', '.join(packages.PROGRAMS)}."
            )
        if os.geteuid() != 0:
            raise SetupError(f"System packages are missing; as root, run: {line}")
        _enough_space()
        word = "package" if len(missing) == 1 else "packages"
        _say(f"Installing {len(missing)} system {word}: {', '.join(missing)}")
        _install(missing)
        sign = _packages_sign(names)
    stamp.parent.mkdir(exist_ok=True)
    stamp.write_text(sign)


def _packages_sign(names: tuple[str, ...]) -> str:
    return _hash(f"{_DPKG.stat().st_mtime_ns}", *names)


def _missing(names: tuple[str, ...]) -> list[str]:
    if shutil.which("dpkg-query") is None:
        return list(names)
    asked = ["dpkg-query", "-W", "-f=${Package} ${db:Status-Status}\n", *names]
    said = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
    there = {
        line.split()[0] for line in said.splitlines() if line.endswith(" installed")
    }
    return [name for name in names if name not in there]


def _install(missing: list[str]) -> None:
    install = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
    with _services_not_started():
        if _tried(install):
            return
        _say("Refreshing the package lists")
        _run(["apt-get", "update"], "Is the network there?")
        _run(install, "Run 'apt-get -f install' by hand to see what is wrong.")


@contextmanager
def _services_not_started() -> Iterator[None]:
    """Keep packages from starting services that kvmweb runs itself."""
    if _POLICY.exists():
        yield
        return
    names = "|".join(packages.NOT_STARTED)
    _POLICY.write_text(f"#!/bin/sh\ncase $1 in {names}) exit 101;; esac\nexit 0\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink()


def _python_packages(wanted: str) -> None:
    stamp = _VENV / "kvmweb-stamp"
    full = _hash(*_text("requirements.txt", "requirements-dev.txt"))
    sign = full if wanted else _hash(*_text("requirements.txt"))
    kept = stamp.read_text() if stamp.exists() else ""
    if kept == full or (kept == sign and not wanted):
        return
    _enough_space()
    if not (_VENV / "bin/python").exists():
        _say("Making .venv")
        _run([sys.executable, "-m", "venv", str(_VENV)], "Is python3-venv installed?")
    name = wanted or "requirements.txt"
    _say(f"Installing the Python packages of {name}")
    pip = [str(_VENV / "bin/python"), "-m", "pip", "install", "-q", "-r", name]
    _run([*pip, "--disable-pip-version-check"], "Is the network there?")
    stamp.write_text(sign)


def _front_end_packages(*, dev: bool) -> None:
    stamp = _NODE / ".kvmweb-stamp"
    sign = _hash(*_text("package-lock.json"))
    kept = stamp.read_text() if stamp.exists() else ""
    if kept == f"{sign} dev" or (kept == sign and not dev):
        return
    if shutil.which("npm") is None:
        raise SetupError("npm is missing; as root, run: apt-get install npm")
    _enough_space()
    _say("Installing the front-end packages of package-lock.json")
    quiet = ["--no-audit", "--no-fund", *([] if dev else ["--omit=dev"])]
    _run(["npm", "ci", *quiet], "Is the network there?")
    stamp.write_text(f"{sign} dev" if dev else sign)


def _demo_parts() -> None:
    if demo.is_made(data_dir()):
        return
    _say("Fetching Debian's cloud kernel and busybox for the demo guest")
    try:
        demo.parts(data_dir())
    except demo.DemoError as error:
        _say(f"  There will be no demo guest for now: {error}")


def _enough_space() -> None:
    free_mib = shutil.disk_usage(ROOT).free >> 20
    if free_mib < _SPACE_MIB:
        raise SetupError(
            f"Only {free_mib} MiB are free below {ROOT}: "
            f"installing may take {_SPACE_MIB} MiB."
        )


def _tried(arguments: list[str]) -> bool:
    """Whether the command succeeded; its words are in the log."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with _log_file().open("ab") as log:
        log.write(f"\n$ {' '.join(arguments)}\n".encode())
        log.flush()
        done = subprocess.run(
            arguments,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            check=False,
        )
    return done.returncode == 0


def _run(arguments: list[str], hint: str) -> None:
    if not _tried(arguments):
        lines = _log_file().read_text(errors="replace").split()
        if "ENOSPC" in lines or "space left on device" in " ".join(lines[-400:]):
            raise SetupError("the disk is full. Free some space.")
        name = " ".join(arguments[:3])
        raise SetupError(f"'{name} …' failed. {hint} All it said is in {_log_file()}.")


def _log_file() -> Path:
    return log_dir() / "setup.log"


@contextmanager
def _alone() -> Iterator[None]:
    """Two set-ups at once wait for each other."""
    with (data_dir() / "setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _text(*names: str) -> list[str]:
    return [(ROOT / name).read_text() for name in names]


def _hash(*words: str) -> str:
    return hashlib.sha256("\0".join((*words, sys.version)).encode()).hexdigest()


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
