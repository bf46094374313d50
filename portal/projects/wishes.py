"""What the words of a scope mean: ids for images and flavors, checked names for others."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.db.models import Model, QuerySet

from guests.images.models import Image
from kvmweb.errors import Invalid
from portal.flavors.models import Flavor

MOST = 1000  # of each part
_TAG = re.compile(r"[a-z0-9](?:[a-z0-9._:-]{0,38}[a-z0-9])?")
_NETWORK = re.compile(r"[^\0-\x1f\x7f]{1,255}")


def meant(told: Mapping[str, Iterable[Any]]) -> dict[str, list[Any]]:
    """Each part that is named, as it is kept; images and flavors by id or by name.

    Raises Invalid naming what is not there.
    """
    found: dict[str, list[Any]] = {}
    errors: dict[str, list[str]] = {}
    for part, values in told.items():
        try:
            found[part] = [_READERS[part](value) for value in list(values)[:MOST]]
        except Invalid as error:
            errors[f"scope.{part}"] = [error.detail]
    if errors:
        raise Invalid(" ".join(each[0] for each in errors.values()), errors=errors)
    return found


def _network(value: Any) -> str:
    name = str(value).strip()
    if not _NETWORK.fullmatch(name):
        raise Invalid(f"{name[:64]!r} is no name of a network.")
    return name


def _tag(value: Any) -> str:
    tag = str(value).strip().lower()
    if not _TAG.fullmatch(tag):
        raise Invalid(f"{tag[:64]!r} is no tag of a host.")
    return tag


def _image(value: Any) -> int:
    return _id_of(Image.objects.all(), value, "image")


def _flavor(value: Any) -> int:
    return _id_of(Flavor.objects.all(), value, "flavor")


def _id_of(rows: QuerySet[Any], value: Any, kind: str) -> int:
    """By its name, where the word is one, else by its id."""
    word = str(value).strip()
    found: Model | None = None
    if isinstance(value, str):
        found = rows.filter(name=word).first()
    if found is None and word.isascii() and word.isdecimal() and len(word) < 19:
        found = rows.filter(pk=int(word)).first()
    if found is None:
        raise Invalid(f"There is no {kind} {word[:64]!r}.")
    return int(found.pk)


_READERS: dict[str, Callable[[Any], Any]] = {
    "networks": _network,
    "images": _image,
    "flavors": _flavor,
    "host_tags": _tag,
}
