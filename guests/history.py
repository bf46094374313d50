"""What befell a guest, from what it was and what it is: values in, sentences out."""

from dataclasses import dataclass
from typing import Any

from kvmweb.virt.types import DomainState

_STOPS = {
    "shutdown": "shut down",
    "destroyed": "forced off",
    "saved": "saved",
    "failed": "failed",
    "migrated": "moved away",
    "from snapshot": "reverted",
    "daemon": "stopped",
}
_BEGUN = {DomainState.RUNNING, DomainState.PAUSED}
_OFF = {DomainState.SHUTOFF, DomainState.CRASHED, DomainState.GONE, ""}

# Which operations explain what happened; others that ran at the time do not.
CAUSES = {
    "found": {"demo", "create", "clone"},
    "started": {"start", "demo", "create", "clone", "migrate", "revert"},
    "restored": {"start", "revert"},
    "restarted": {"reboot", "reset", "start", "demo"},
    "rebooted": {"reboot", "reset"},
    "shut down": {"shutdown", "reboot"},
    "forced off": {"force-off", "delete", "shutdown", "demo"},
    "saved": {"save"},
    "failed": {"start", "demo", "create"},
    "paused": {"pause", "save", "migrate", "snapshot"},
    "resumed": {"resume", "save", "migrate", "snapshot"},
    "moved": {"migrate"},
    "moved away": {"migrate"},
    "renamed": {"edit", "change", "rename"},
    "gone": {"delete", "migrate", "force-off", "shutdown", "demo"},
}


@dataclass(frozen=True, slots=True)
class Was:
    """A guest as we knew it last."""

    state: str  # gone: nobody had it, or "": it is new
    name: str
    managed_save: bool
    started_at: Any
    host_name: str


def happenings(
    was: Was, now: dict[str, Any], host_name: str, event: str
) -> list[tuple[str, str]]:
    """What happened between the two, as a word and a detail, in order."""
    found: list[tuple[str, str]] = []
    if was.state == "":
        found.append(("found", f"on {host_name}"))
    elif was.state == DomainState.GONE:
        found.append(("back", f"on {host_name}"))
    elif was.host_name != host_name:
        found.append(("moved", f"from {was.host_name or 'nowhere'} to {host_name}"))
    if was.name and was.name != now["name"]:
        found.append(("renamed", f"from {was.name} to {now['name']}"))
    if was.state:
        found += _state(was, now)
    if event in {"reboot", "rebooted"}:
        found.append(("rebooted", ""))
    return found


def _state(was: Was, now: dict[str, Any]) -> list[tuple[str, str]]:
    state, reason = now["state"], now["state_reason"]
    if was.state == state:
        again = state == DomainState.RUNNING and _later(was.started_at, now)
        return [("restarted", "it was off in between")] if again else []
    if state in _BEGUN:
        return _went_on(was, state, reason)
    match state:
        case DomainState.CRASHED:
            found = [("crashed", reason if reason != "crashed" else "")]
        case DomainState.SHUTOFF:
            found = _stopped(was.state, reason)
        case DomainState.SUSPENDED:
            found = [("suspended", "the guest sleeps")]
        case _:
            found = []
    return found


def _stopped(before: str, reason: str) -> list[tuple[str, str]]:
    if before in {DomainState.GONE, DomainState.CRASHED}:
        return []  # tidied up, or found as it lay
    return [(_STOPS.get(reason, "stopped"), "")]


def _went_on(was: Was, state: str, reason: str) -> list[tuple[str, str]]:
    found = []
    if was.state in _OFF and was.state != DomainState.GONE:
        found.append(("restored" if was.managed_save else "started", ""))
    elif state == DomainState.RUNNING and was.state != DomainState.GONE:
        found.append(("resumed", ""))
    if state == DomainState.PAUSED:
        found.append(("paused", "" if reason == "user" else reason))
    return found


def _later(before: Any, now: dict[str, Any]) -> bool:
    """Whether it was started anew; clocks of guests drift by a second or two."""
    after = now["started_at"]
    return bool(before and after and (after - before).total_seconds() > 5)
