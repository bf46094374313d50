"""How people name a thing in what they ask for: a number is its id, a word its name."""

from typing import TypeVar

from django.db.models import Model, QuerySet

Row = TypeVar("Row", bound=Model)
Ref = (
    int | str
)  # a word of digits, as forms and URLs have it, is a name first, then an id


def found(rows: QuerySet[Row], ref: Ref) -> Row | None:
    """The row that is meant, if it is among these."""
    if isinstance(ref, str) and (named := rows.filter(name=ref).first()):
        return named
    number = number_of(ref)
    return rows.filter(pk=number).first() if number else None


def number_of(ref: Ref) -> int:
    """The id it can be; 0: none."""
    text = str(ref)
    known = text.isascii() and text.isdecimal() and len(text) < 18
    return int(text) if known else 0
