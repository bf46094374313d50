"""Sessions in rows that say whose they are. settings.SESSION_ENGINE names this module.

What Django keeps in a session stays as it is; `note` adds where it began, and the
columns are filled from there whenever the session is saved.
"""

import hashlib
import re
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends import db
from django.contrib.sessions.backends.base import SessionBase
from django.utils import timezone

from kvmweb.accounts.sessions.models import Visit

NOTE = "visit"
NOTED_EVERY = timedelta(minutes=1)
# The first that fits wins: every browser says that it is some of the others, too.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


class SessionStore(db.SessionStore):
    """Django's own store in the database, on our rows."""

    @classmethod
    def get_model_class(cls) -> type[Visit]:
        """Our row."""
        return Visit

    def create_model_instance(self, data: dict[str, Any]) -> Visit:
        """The row of this session, its columns as the session says."""
        row: Visit = super().create_model_instance(data)  # type: ignore[assignment]
        noted = data.get(NOTE, {})
        row.user_id = int(data[SESSION_KEY]) if SESSION_KEY in data else None
        row.handle = handle(row.session_key)
        row.address = noted.get("address", "")
        row.device = noted.get("device", "")
        if "began" in noted:
            row.began_at = datetime.fromisoformat(noted["began"])
        return row

    def _get_session_from_db(self) -> Visit | None:
        """The row, which now was seen; written down at most once a minute."""
        row: Visit | None = super()._get_session_from_db()  # type: ignore[misc]
        now = timezone.now()
        if row is not None and row.seen_at < now - NOTED_EVERY:
            Visit.objects.filter(pk=row.pk).update(seen_at=now)
        return row


def handle(session_key: str) -> UUID:
    """The name of a session that its page and address may show."""
    return UUID(bytes=hashlib.sha256(session_key.encode()).digest()[:16])


def note(session: SessionBase, *, address: str, agent: str) -> None:
    """Keep from where and with what a session begins."""
    began = timezone.now().isoformat()
    session[NOTE] = {"address": address, "device": device(agent), "began": began}


def device(agent: str) -> str:
    """A browser's own long word as a person says it: "Firefox on Linux"."""
    browser = next((name for sign, name in _BROWSERS if sign in agent), "")
    system = next((name for sign, name in _SYSTEMS if sign in agent), "")
    if browser and system:
        return f"{browser} on {system}"
    plain = re.sub(r"[^\w./() -]", "", agent)[:60]
    return browser or system or plain or "Unknown device"
