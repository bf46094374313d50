"""What a person wishes of a guest's hardware: checked before any document is made."""

import re
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from kvmweb.errors import Invalid
from kvmweb.sizes import amount

VCPUS = 4096
MEMORY_LEAST, MEMORY_MOST = 1024**2, 2**52
FIRMWARES = ("bios", "uefi", "uefi-secure")
NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?")
_CPU = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}|")
_OS = re.compile(r"https?://[A-Za-z0-9./_-]{1,180}|")
NOW, NEXT_START = "now", "next-start"


@dataclass(frozen=True, slots=True)
class Hardware:
    """What is to change; None is not said and stays as it is."""

    name: str | None = None
    vcpus: int | None = None
    vcpus_max: int | None = None
    memory_bytes: int | None = None
    memory_max_bytes: int | None = None
    cpu: str | None = None  # host-model, host-passthrough, maximum, a model; "" QEMU's
    topology: tuple[int, int, int] | None = None  # sockets, cores, threads
    firmware: str | None = None
    boot: tuple[str, ...] | None = None  # targets and MAC addresses, in order
    boot_menu: bool | None = None
    os: str | None = None  # osinfo's id

    @classmethod
    def of(cls, params: dict[str, Any]) -> Self:
        """From an operation's params, or a body that was checked."""
        names = {each.name for each in fields(cls)}
        said = {key: value for key, value in params.items() if key in names}
        for name in ("topology", "boot"):
            if said.get(name) is not None:
                said[name] = tuple(said[name])
        return cls(**said)

    def params(self) -> dict[str, Any]:
        """What is said, as an operation keeps it."""
        return {key: value for key, value in asdict(self).items() if value is not None}

    def __bool__(self) -> bool:
        return bool(self.params())

    def need_valid(self) -> None:
        """Nothing. Raises Invalid naming each field that no guest could have."""
        errors: dict[str, list[str]] = {}
        for name, low, high in _RANGES:
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                sized = name.endswith("_bytes")
                least, most = (amount(low), amount(high)) if sized else (low, high)
                errors[name] = [f"Say a number from {least} to {most}."]
        for name, pattern, sentence in _WORDS:
            value = getattr(self, name)
            if value is not None and not pattern.fullmatch(value):
                errors[name] = [sentence]
        _check_pair(self, "vcpus", "vcpus_max", errors)
        _check_pair(self, "memory_bytes", "memory_max_bytes", errors)
        if any(not 1 <= part <= VCPUS for part in self.topology or ()):
            errors["topology"] = [f"Say numbers from 1 to {VCPUS}."]
        if self.boot is not None and len(set(self.boot)) != len(self.boot):
            errors["boot"] = ["Name each device once."]
        if errors:
            sentences = " ".join(text for texts in errors.values() for text in texts)
            raise Invalid(sentences, errors=errors)


_RANGES = (
    ("vcpus", 1, VCPUS),
    ("vcpus_max", 1, VCPUS),
    ("memory_bytes", MEMORY_LEAST, MEMORY_MOST),
    ("memory_max_bytes", MEMORY_LEAST, MEMORY_MOST),
)
_WORDS = (
    (
        "name",
        NAME,
        "Use up to 63 small letters, digits, dots and dashes; no dot or dash at an end.",
    ),
    ("cpu", _CPU, "Say host-model, host-passthrough, maximum or a model's name."),
    ("os", _OS, "Say an id of osinfo's, as http://debian.org/debian/12."),
    (
        "firmware",
        re.compile("|".join(FIRMWARES)),
        f"Say one of {', '.join(FIRMWARES)}.",
    ),
)


def _check_pair(
    wish: Hardware, less: str, more: str, errors: dict[str, list[str]]
) -> None:
    some, most = getattr(wish, less), getattr(wish, more)
    if some is not None and most is not None and some > most:
        errors.setdefault(less, []).append("It cannot be more than it has at most.")
