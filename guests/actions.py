"""Which action fits which state, and what to say where it does not. Pure."""

from dataclasses import dataclass

from kvmweb.virt.types import DomainState

RUNNING, PAUSED = DomainState.RUNNING, DomainState.PAUSED
SHUTTING_DOWN, SUSPENDED = DomainState.SHUTTING_DOWN, DomainState.SUSPENDED
SHUTOFF, CRASHED = DomainState.SHUTOFF, DomainState.CRASHED


@dataclass(frozen=True, slots=True)
class Action:
    """A button: what it does, whether it can be pressed now, and why not."""

    name: str
    label: str
    enabled: bool
    reason: str  # why not, as a sentence
    danger: bool  # data may be lost


@dataclass(frozen=True, slots=True)
class Kind:
    """An action that people can ask for."""

    name: str
    label: str
    states: frozenset[DomainState]  # in which it makes sense
    danger: bool = False


KINDS = {
    kind.name: kind
    for kind in (
        Kind("start", "Start", frozenset({SHUTOFF, CRASHED})),
        Kind("shutdown", "Shut down", frozenset({RUNNING})),
        Kind("reboot", "Reboot", frozenset({RUNNING})),
        Kind("pause", "Pause", frozenset({RUNNING})),
        Kind("resume", "Resume", frozenset({PAUSED, SUSPENDED})),
        Kind("save", "Save", frozenset({RUNNING, PAUSED})),
        Kind("reset", "Reset", frozenset({RUNNING, PAUSED}), danger=True),
        Kind(
            "force-off",
            "Force off",
            frozenset({RUNNING, PAUSED, SHUTTING_DOWN, SUSPENDED}),
            danger=True,
        ),
    )
}
_PANICKED = "panicked"  # libvirt's word for a crashed guest whose QEMU was kept

_STATES = {
    RUNNING: "is running",
    PAUSED: "is paused",
    SHUTTING_DOWN: "is shutting down",
    SHUTOFF: "is off",
    CRASHED: "has crashed and is off",
    SUSPENDED: "sleeps",
    DomainState.UNKNOWN: "is in a state that its host cannot name",
}
_ALREADY = {
    ("start", RUNNING): "{name} is already running.",
    ("start", PAUSED): "{name} is paused: resume it.",
    ("start", SUSPENDED): "{name} sleeps: resume it.",
    ("start", SHUTTING_DOWN): "{name} is shutting down: start it when it is off.",
    ("shutdown", SHUTOFF): "{name} is already off.",
    ("shutdown", PAUSED): "{name} is paused and cannot hear: resume it first.",
    ("shutdown", SHUTTING_DOWN): "{name} is shutting down already.",
    ("force-off", SHUTOFF): "{name} is already off.",
    ("force-off", CRASHED): "{name} has crashed and is off.",
    ("pause", PAUSED): "{name} is already paused.",
    ("resume", RUNNING): "{name} is already running.",
}


def refusal(
    action: str, name: str, state: str, *, reason: str = "", persistent: bool = True
) -> str:
    """Why this action does not fit now, as a sentence; "" when it does.

    `state` and `reason` are the guest's; raises KeyError for no action of ours.
    """
    kind = KINDS[action]
    now = DomainState(state)
    if now == CRASHED and reason == _PANICKED:
        fits = action in {"force-off", "reset"}
        return "" if fits else f"{name} has crashed: force it off first."
    if now in kind.states:
        lost = action == "save" and not persistent
        return f"{name} is transient: it cannot be saved." if lost else ""
    if now == DomainState.GONE:
        return f"{name} is gone: no host knows it any more."
    if told := _ALREADY.get((action, now)):
        return told.format(name=name)
    wanted = " or ".join(
        _adjective(each) for each in DomainState if each in kind.states
    )
    return f"{name} {_STATES[now]}; to {kind.label.lower()} it, it must be {wanted}."


def _adjective(state: DomainState) -> str:
    return "off" if state == SHUTOFF else state.value
