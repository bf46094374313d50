"""Everything that can be said without running a test: what `make check` does."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from deploy.places import ROOT

_BIN = ROOT / ".venv/bin"
_AUDIT_S = 120


@dataclass(frozen=True, slots=True)
class Check:
    """One tool, what it says of us, and how to run it."""

    says: str
    command: Sequence[str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a tool found; `said` is worth reading when it is not well."""

    well: bool
    said: str
    took_s: float


def checks() -> list[Check]:
    """All of them, those that take long first."""
    manage = (str(_BIN / "python"), "manage.py")
    templates = tuple(
        str(path.relative_to(ROOT)) for path in sorted(ROOT.glob("templates/**/*.html"))
    )
    found = [
        Check("mypy: types fit together", (_tool("mypy"),)),
        Check(
            "ruff format: the layout is one", (_tool("ruff"), "format", "--check", ".")
        ),
        Check("ruff check: no mistakes or detours", (_tool("ruff"), "check", ".")),
        Check("import-linter: dependencies go one way", (_tool("lint-imports"),)),
        Check("biome: scripts and styles", _biome()),
        Check(
            "Django: every model has its migration",
            (*manage, "makemigrations", "--check", "--dry-run"),
        ),
        Check(
            "Django: fit to be deployed",
            (*manage, "check", "--deploy", "--fail-level", "WARNING"),
        ),
    ]
    if templates:
        djade = (_tool("djade"), "--check", "--target-version", "5.2", *templates)
        found.append(Check("djade: templates are tidy", djade))
        djlint = (_tool("djlint"), "--lint", "--quiet", "templates")
        found.append(Check("djlint: templates are sound", djlint))
    return found


def main() -> int:
    """Run all, two at a time; the exit status."""
    bad = 0
    with tempfile.TemporaryDirectory(prefix="kvmweb-check-") as folder:
        # The checks get a data folder of their own: they may run beside the product.
        environment = {**os.environ, "KVMWEB_DATA_DIR": folder}
        with ThreadPoolExecutor(max_workers=2) as pool:
            audit = pool.submit(_audit)
            running = [(c, pool.submit(_run, c.command, environment)) for c in checks()]
            for check, found in running:
                bad += _told(check.says, found.result())
            bad += _told("pip-audit: no package is known to be unsafe", audit.result())
    print("All is well." if not bad else f"{bad} of these want attention.")
    return 1 if bad else 0


def _told(says: str, found: Outcome) -> int:
    word = "ok" if found.well else "NOT WELL"
    print(f"{says} … {word} ({found.took_s:.1f} s)", flush=True)
    if found.said and (not found.well or len(found.said.splitlines()) == 1):
        print("\n".join(f"    {line}" for line in found.said.splitlines()), flush=True)
    return 0 if found.well else 1


def _run(command: Sequence[str], environment: dict[str, str]) -> Outcome:
    began = time.monotonic()
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=600,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Outcome(False, str(error), time.monotonic() - began)  # noqa: FBT003  the first of its fields
    well = done.returncode == 0
    return Outcome(well, "" if well else done.stdout.strip(), time.monotonic() - began)


def _audit() -> Outcome:
    """Ask for known holes of what we run on. Not being able to ask is no failure."""
    began = time.monotonic()
    asked = [_tool("pip-audit"), "-r", "requirements.txt", "--no-deps", "--disable-pip"]
    try:
        done = subprocess.run(
            [*asked, "--format", "json", "--progress-spinner", "off"],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_AUDIT_S,
        )
        packages = json.loads(done.stdout)["dependencies"]
    except (OSError, subprocess.TimeoutExpired, ValueError, KeyError):
        said = "Its service cannot be reached from here: nothing was asked."
        return Outcome(well=True, said=said, took_s=time.monotonic() - began)
    holes = [
        f"{package['name']} {package['version']}: {hole['id']}"
        f" (fixed in {', '.join(hole['fix_versions']) or 'no version yet'})"
        for package in packages
        for hole in package.get("vulns", [])
    ]
    unasked = sum("skip_reason" in package for package in packages)
    if unasked and not holes:
        said = (
            f"{unasked} of {len(packages)} packages could not be asked for from here."
        )
        return Outcome(well=True, said=said, took_s=time.monotonic() - began)
    return Outcome(not holes, "\n".join(holes), time.monotonic() - began)


def _tool(name: str) -> str:
    return str(_BIN / name)


def _biome() -> tuple[str, ...]:
    return (str(ROOT / "node_modules/.bin/biome"), "check", "static")


if __name__ == "__main__":
    sys.exit(main())
