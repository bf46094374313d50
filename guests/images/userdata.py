"""Somebody's own cloud-config, read without believing it. Pure."""

from typing import Any

import yaml

from kvmweb.errors import Invalid

HEADER = "#cloud-config"
LIMIT_BYTES = 64 * 1024
_DEPTH = 32


def parse(text: str) -> dict[str, Any]:
    """The settings in it. Raises Invalid with a sentence that says what is wrong where.

    Aliases are refused: a kilobyte of them can mean a gigabyte of text.
    """
    if len(text.encode(errors="replace")) > LIMIT_BYTES:
        raise Invalid(f"The user-data is longer than {LIMIT_BYTES // 1024} KiB.")
    if text.lstrip("\ufeff").split("\n", 1)[0].rstrip() != HEADER:
        raise Invalid(f"The user-data's first line must be {HEADER}.")
    try:
        settings = _read(text)
    except yaml.YAMLError as error:
        raise Invalid(f"The user-data is not YAML: {_where(error)}.") from error
    except (ValueError, RecursionError) as error:  # "2024-99-99" is a date for YAML
        raise Invalid(f"The user-data cannot be read: {error}.") from error
    if settings is None:
        return {}
    if not isinstance(settings, dict) or not all(isinstance(k, str) for k in settings):
        raise Invalid(
            "The user-data must be settings with names, like “packages: […]”."
        )
    return settings


def _read(text: str) -> Any:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            line = event.start_mark.line + 1 if event.start_mark else "some"
            raise Invalid(f"The user-data has an alias in line {line}: write it out.")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEPTH:
            raise Invalid("The user-data is nested too deeply.")
    return yaml.safe_load(text)


def _where(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "it cannot be parsed"
    return f"line {mark.line + 1}: {problem}" if mark else str(problem)
