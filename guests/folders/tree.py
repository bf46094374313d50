"""The tree of folders with what lies in each, of guests counted by their tags. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from guests.folders.paths import lineage
from kvmweb.virt.types import DomainState

_RUNNING, _CRASHED = DomainState.RUNNING.value, DomainState.CRASHED.value


@dataclass(slots=True)
class Folder:
    """One folder, with all that lies in it and below it; each guest counts once."""

    path: str
    guests: int = 0
    running: int = 0
    alarming: int = 0  # crashed, or on several hosts at once
    children: list["Folder"] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The last word of its path."""
        return self.path.rpartition("/")[2]

    @property
    def depth(self) -> int:
        """How many folders it lies in."""
        return self.path.count("/")


@dataclass(frozen=True, slots=True)
class Tree:
    """All guests somebody sees, by folder."""

    whole: Folder
    untagged: Folder
    top: list[Folder]

    def __bool__(self) -> bool:
        return bool(self.top)

    def __iter__(self) -> Iterator[Folder]:
        """Every folder, each before those in it."""
        waiting = self.top[::-1]
        while waiting:
            folder = waiting.pop()
            yield folder
            waiting += folder.children[::-1]


Counted = tuple[str, str, bool, int]  # tag words, state, in conflict, how many


def grown(rows: Iterable[Counted]) -> Tree:
    """The tree of these guests."""
    whole, untagged = Folder(""), Folder("-")
    found: dict[str, Folder] = {}
    above: dict[str, list[Folder]] = {}  # each tag's folders; there are few tags
    for words, (guests, running, alarming) in _together(rows).items():
        lying: dict[str, Folder] = {}
        for tag in words.split():
            if tag not in above:
                above[tag] = [found.setdefault(it, Folder(it)) for it in lineage(tag)]
            for folder in above[tag]:
                lying[folder.path] = folder
        for folder in (whole, *(lying.values() or (untagged,))):
            folder.guests += guests
            folder.running += running
            folder.alarming += alarming
    return Tree(whole, untagged, _nested(found))


def _together(rows: Iterable[Counted]) -> dict[str, list[int]]:
    """Guests, running and alarming ones by their tag words: most have the same few."""
    found: dict[str, list[int]] = {}
    for words, state, torn, count in rows:
        told = found.get(words)
        if told is None:
            told = found[words] = [0, 0, 0]
        told[0] += count
        if state == _RUNNING:
            told[1] += count
        if torn or state == _CRASHED:
            told[2] += count
    return found


def _nested(found: dict[str, Folder]) -> list[Folder]:
    top: list[Folder] = []
    for path in sorted(found, key=lambda it: it.split("/")):
        parent = path.rpartition("/")[0]
        (found[parent].children if parent else top).append(found[path])
    return top
