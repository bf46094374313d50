"""Sizes as people type them: "4 GiB", "512m", "1.5 TB". Pure."""

import re

from kvmweb.errors import Invalid

_TYPED = re.compile(
    r"\s*([0-9]{1,16}(?:[.,][0-9]{1,6})?)\s*([kmgtpKMGTP]?)([iI]?[bB])?\s*"
)
_POWERS = "kmgtp"
HELP = "Like “4 GiB” or “512 MiB”; a plain number is GiB."


def bytes_of(typed: str) -> int:
    """The bytes that a text means. GB is 1000, GiB and G are 1024; none means GiB.

    Raises Invalid with a sentence.
    """
    match = _TYPED.fullmatch(typed)
    if match is None:
        raise Invalid(f"{typed.strip()[:40]!r} is no size. {HELP}")
    number, letter, unit = match[1].replace(",", "."), match[2].lower(), match[3] or ""
    if unit and not letter:
        return round(float(number)) if unit.lower() == "b" else _no(typed)
    power = _POWERS.index(letter or "g") + 1
    step = 1000 if unit.lower() == "b" and letter else 1024
    return round(float(number) * float(step) ** power)


def words_of(count: int) -> str:
    """The bytes as somebody would type them: "4 GiB"."""
    for power in range(5, 0, -1):
        if count >= 1024**power and (count * 4) % 1024**power == 0:
            number = f"{count / 1024**power:.2f}".rstrip("0").rstrip(".")
            return f"{number} {_POWERS[power - 1].upper()}iB"
    return f"{count} B"


def _no(typed: str) -> int:
    raise Invalid(f"{typed.strip()[:40]!r} is no size. {HELP}")
