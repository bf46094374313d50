"""Telling live pages, and whoever keeps account, that a charge has changed."""

from collections.abc import Callable

from kvmweb.live import news

Listener = Callable[[str], None]
_listeners: list[Listener] = []


def when_charged(listener: Listener) -> Listener:
    """Plug: call this with the subject of each charge that has come, changed or gone.

    In the transaction that changes it; what is only reserved is not told.
    """
    if listener not in _listeners:
        _listeners.append(listener)
    return listener


def charged(subject: str) -> None:
    """This subject's charge is another one now."""
    for listener in _listeners:
        listener(subject)


def changed(project: int) -> None:
    """Once this is committed: pages of the project ask again."""
    news.publish(f"project:{project}", "usage", {"project": project})
