"""What can be listened to, and who hears what of it."""

from collections.abc import Callable
from typing import Any

from kvmweb.accounts.models import User
from kvmweb.errors import AppError, NotFound

Filter = Callable[[str, dict[str, Any]], dict[str, Any] | None]
Opener = Callable[[User, str | None], Filter]

_OPENERS: dict[str, Opener] = {}


def topic(kind: str) -> Callable[[Opener], Opener]:
    """Declare who may listen to "kind" or "kind:ident".

    The opener gets the user and the ident, raises NotFound or Forbidden, and returns
    a filter: given a type and the data, the same data, a smaller one, or None when it
    is not theirs. The filter runs for every message and asks neither rows nor hosts;
    the opener is asked again every few seconds and whenever rights changed.
    """

    def declare(opener: Opener) -> Opener:
        if kind in _OPENERS:
            raise ValueError(f"The topic {kind} is declared twice.")
        _OPENERS[kind] = opener
        return opener

    return declare


def kinds() -> list[str]:
    """Every declared kind of topic."""
    return sorted(_OPENERS)


def open_topic(user: User, name: str) -> Filter:
    """What this user hears of the topic.

    Raises NotFound when there is none such or it is not theirs: both read the same.
    """
    kind, colon, ident = name.partition(":")
    try:
        opener = _OPENERS[kind]
        return opener(user, ident if colon else None)
    except (AppError, KeyError, ValueError) as error:
        raise NotFound("There is no such topic, or it is not yours.") from error


def everything(_kind: str, data: dict[str, Any]) -> dict[str, Any] | None:
    """The filter of those who may hear all of it."""
    return data
