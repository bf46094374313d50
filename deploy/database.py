"""Migrates the database, and knows when there is nothing to migrate."""

import contextlib
import hashlib
import os
import sqlite3
from pathlib import Path

from deploy.places import ROOT, data_dir

_MIGRATE = ("migrate", "--no-input", "--verbosity", "1")


def migration() -> tuple[str, ...]:
    """Arguments for manage.py that bring the database up to date; none if it is."""
    stamp = _stamp()
    if stamp.exists() and stamp.read_text() == _sign():
        return ()
    return _MIGRATE


def migrated() -> None:
    """Remember that the database is up to date."""
    if sign := _sign():
        _stamp().parent.mkdir(exist_ok=True)
        _stamp().write_text(sign)


def _stamp() -> Path:
    return data_dir() / "stamps" / "migrated"


def _sign() -> str:
    """What there is to apply and what was applied; "" where only Django can tell."""
    if os.environ.get("KVMWEB_DATABASE_URL"):
        return ""
    path = data_dir() / "kvmweb.sqlite3"
    if not path.exists():
        return ""
    ours = [p for p in ROOT.glob("*/**/migrations/[0-9]*.py") if _is_ours(p)]
    words = [f"{p.relative_to(ROOT)} {p.stat().st_size}" for p in sorted(ours)]
    words.append((ROOT / "requirements.txt").read_text())
    try:
        with contextlib.closing(
            sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        ) as rows:
            asked = "SELECT app, name FROM django_migrations ORDER BY app, name"
            words += [f"{app} {name}" for app, name in rows.execute(asked)]
    except sqlite3.Error:  # not a database of ours yet
        return ""
    return hashlib.sha256("\n".join(words).encode()).hexdigest()


def _is_ours(path: Path) -> bool:
    return path.relative_to(ROOT).parts[0] in {"kvmweb", "hosts", "guests", "portal"}
