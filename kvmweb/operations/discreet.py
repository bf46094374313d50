"""What an operation did, for people who see no hosts: without where, and without whom else.

Sentences of ours about one guest name its own host at most, which is left out of them.
What a host said itself, and what is done between hosts, may name anything: of that they
read how it went, and no more.
"""

import re
from typing import Any

from kvmweb.operations.models import LogLine, Operation

_OF_ONE_GUEST = {  # whose sentences are about the guest and its own host alone
    f"guest.{word}"
    for word in (
        *("start", "shutdown", "reboot", "reset", "force-off", "pause", "resume"),
        *("save", "autostart", "edit", "label", "snapshot", "snapshot-delete"),
        *("revert", "look-inside", "sync-time", "set-password", "add-ssh-keys"),
    )
}
_OF_HOSTS = {"host_error", "host_unreachable", "host_timeout", "unsupported"}
_ENDS = {
    "succeeded": "{subject}: “{label}” is done.",
    "failed": "{subject}: “{label}” failed. Those who run the hosts can see why.",
    "cancelled": "{subject}: “{label}” was cancelled.",
}
_PATH = re.compile(r"(?<![^\s“\"'(])(?:/[^/\s,;:“”'\"]+)+/?")
DELETED = "guest.delete"


def discreet(told: dict[str, Any]) -> dict[str, Any]:
    """The operation as JSON without hosts, their words, and other people's guests."""
    error = told["error"] or {}
    open_ = _is_open(told["kind"], error.get("code", ""))
    message = told["message"] or error.get("message", "")
    if message and not open_:
        message = _end(told["kind"], told["guest_name"], told["state"])
    message = _without(message, told["host_name"])
    return told | {
        "host": None,
        "host_name": "",
        "phase": _without(told["phase"], told["host_name"]) if open_ else "",
        "message": message,
        "error": error | {"message": message} if error else None,
        "result": _result(told["kind"], told["result"]),
    }


def hidden(operation: Operation) -> Operation:
    """The same of a row, for pages; it is not to be saved."""
    open_ = _is_open(operation.kind, operation.error_code)
    message = operation.message or operation.error_message
    if message and not open_:
        message = _end(operation.kind, operation.guest_name, operation.state)
    message = _without(message, operation.host_name)
    operation.message = message
    operation.error_message = message if operation.error_message else ""
    operation.phase = _without(operation.phase, operation.host_name) if open_ else ""
    operation.result = _result(operation.kind, operation.result)
    operation.host, operation.host_name = None, ""
    return operation


def lines(operation: Operation, log: list[LogLine]) -> list[LogLine]:
    """Of its log, what they may read; asked before the row is `hidden`."""
    if not _is_open(operation.kind, operation.error_code):
        return []
    for line in log:
        line.message = _without(line.message, operation.host_name)
    return log


def _is_open(kind: str, error_code: str) -> bool:
    return kind in _OF_ONE_GUEST and error_code not in _OF_HOSTS


def _end(kind: str, subject: str, state: str) -> str:
    word = kind.rpartition(".")[2].replace("-", " ")
    return _ENDS.get(state, "").format(subject=subject or "It", label=word)


def _without(text: str, host_name: str) -> str:
    """The text without the host's name, and of files their names alone."""
    if host_name:
        name = rf"(?<![\w.-]){re.escape(host_name)}(?![\w-])"
        text = re.sub(name, "its host", text)
    return _PATH.sub(lambda match: match[0].rstrip("/").rpartition("/")[2], text)


def _result(kind: str, result: dict[str, Any]) -> dict[str, Any]:
    """Which of its volumes went, of a deletion; nothing of what else a worker wrote."""
    if kind != DELETED:
        return {}
    gone = [_name(path) for path in result.get("deleted", [])]
    kept = [
        {"path": _name(it["path"]), "why": "It may serve other guests."}
        for it in result.get("kept", [])
    ]
    return {"deleted": gone, "kept": kept}


def _name(path: str) -> str:
    return path.rpartition("/")[2]
