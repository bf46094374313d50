"""The words a list may be ordered by."""

from collections.abc import Mapping, Sequence

from kvmweb.errors import Invalid


def ordered(asked: str, allowed: Mapping[str, str | Sequence[str]]) -> list[str]:
    """Columns to order by; a comma stands between words. Raises Invalid."""
    columns: list[str] = []
    for word in asked.split(","):
        sign, name = ("-", word[1:]) if word.startswith("-") else ("", word)
        if name not in allowed:
            sentence = f"Order by one of {', '.join(sorted(allowed))}."
            raise Invalid(sentence, errors={"ordering": [sentence]})
        names = allowed[name]
        names = [names] if isinstance(names, str) else names
        columns += [f"{sign}{column}" for column in names]
    return [*columns, "pk"]
