"""The plug for what empties a host: hosts know no guests, who does registers here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from hosts.models import Host
from kvmweb.accounts.models import User
from kvmweb.errors import Invalid
from kvmweb.operations.models import Operation

LEAVE, SHUT_DOWN, SUSPEND = "leave", "shut-down", "suspend"
CHOICES = (LEAVE, SHUT_DOWN, SUSPEND)


@dataclass(frozen=True, slots=True)
class Ways:
    """How a host is to be emptied, as somebody chose."""

    stuck: str = LEAVE  # what becomes of those that cannot move
    choices: Mapping[str, str] = field(default_factory=dict)  # and of these, by UUID
    carry: bool = False  # those that are off move, too
    per_target: int = 2  # at once to one host
    per_source: int = 3  # at once from it; a place stays free for others

    def __post_init__(self) -> None:
        """Raise Invalid naming each field that cannot be so."""
        errors = {}
        if {self.stuck, *self.choices.values()} - set(CHOICES):
            errors["stuck"] = [f"Choose one of {', '.join(CHOICES)}."]
        for name in ("per_target", "per_source"):
            if not 1 <= getattr(self, name) <= 16:
                errors[name] = ["Give a number from 1 to 16."]
        if errors:
            text = " ".join(each[0] for each in errors.values())
            raise Invalid(text, errors=errors)


Evacuate = Callable[[Host, Ways, User, str], Operation]
Busy = Callable[[Host], str]
_evacuates: list[Evacuate] = []
_busy: list[Busy] = []


def evacuates(function: Evacuate) -> Evacuate:
    """Register what moves the guests of a host away: host, ways, by, address."""
    _evacuates.append(function)
    return function


def is_emptied(function: Busy) -> Busy:
    """Register what says that a host is being emptied now, as a sentence, or ""."""
    _busy.append(function)
    return function


def evacuate(host: Host, ways: Ways, *, by: User, address: str) -> Operation:
    """Begin to empty it; the operation whose children are the moves."""
    (function,) = _evacuates
    return function(host, ways, by, address)


def under_way(host: Host) -> str:
    """That it is being emptied now, as a sentence; "" when it is not."""
    return next(filter(None, (function(host) for function in _busy)), "")
