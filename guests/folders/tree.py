"""The tree of folders with what lies in each, of guests counted by their tags. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from guests.folders.paths import folders_of
from kvmweb.virt.types import DomainState


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

    def add(self, guests: int, *, running: bool, alarming: bool) -> None:
        """So many guests more."""
        self.guests += guests
        self.running += guests if running else 0
        self.alarming += guests if alarming else 0


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
    lying: dict[str, list[Folder]] = {}  # by tag words: most guests have the same few
    for words, state, torn, count in rows:
        if words not in lying:
            paths = folders_of(words.split())
            lying[words] = [found.setdefault(it, Folder(it)) for it in paths]
        running = state == DomainState.RUNNING
        alarming = torn or state == DomainState.CRASHED
        for folder in (whole, *(lying[words] or (untagged,))):
            folder.add(count, running=running, alarming=alarming)
    return Tree(whole, untagged, _nested(found))


def _nested(found: dict[str, Folder]) -> list[Folder]:
    top: list[Folder] = []
    for path in sorted(found, key=lambda it: it.split("/")):
        parent = path.rpartition("/")[0]
        (found[parent].children if parent else top).append(found[path])
    return top
