"""Every door of the site and the right it declares; a door without one fails the check."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.urls import URLPattern, URLResolver, get_resolver

from kvmweb.accounts.gate import Right

ANY = "*"  # a page declares one right for whatever method it takes


@dataclass(frozen=True, slots=True)
class Door:
    """One address with one method ("*" for a page) and the right it asks for."""

    route: str
    name: str
    method: str
    right: Right | None


def declared(view: Callable[..., Any], method: str | None) -> Right | None:
    """The right this view asks for when called by this method; None: not declared."""
    rights: dict[str, Right | None] | None = getattr(view, "rights", None)
    if rights is None:
        right: Right | None = getattr(view, "right", None)
        return right
    return rights.get(method or "", Right.PUBLIC)  # a wrong method is answered 405


def every_door() -> Iterator[Door]:
    """All addresses of the site, API and pages."""
    yield from _below(get_resolver().url_patterns, "/", "")


def _below(
    patterns: Iterable[URLPattern | URLResolver], route: str, space: str
) -> Iterator[Door]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            inner = f"{space}{pattern.namespace}:" if pattern.namespace else space
            yield from _below(pattern.url_patterns, f"{route}{pattern.pattern}", inner)
            continue
        rights = getattr(pattern.callback, "rights", None)
        if rights is None:
            rights = {ANY: getattr(pattern.callback, "right", None)}
        for method, right in rights.items():
            yield Door(
                f"{route}{pattern.pattern}",
                f"{space}{pattern.name or ''}",
                method,
                right,
            )


@register(Tags.security)
def every_door_declares_a_right(**_kwargs: Any) -> list[CheckMessage]:
    """An error for each address that asks nobody for a right."""
    return [
        Error(
            f"{door.method} {door.route} declares no right.",
            hint="Put @door(Right.…) on the view or the API method.",
            id="kvmweb.E001",
        )
        for door in every_door()
        if door.right is None
    ]
