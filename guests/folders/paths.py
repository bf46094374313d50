"""Tags as paths: `web/prod/eu` lies in `web/prod`, which lies in `web`. Pure."""

from collections.abc import Collection, Iterable, Iterator


def lineage(tag: str) -> Iterator[str]:
    """The folders a tag lies in, the topmost first, itself last."""
    parts = tag.split("/")
    for number in range(1, len(parts) + 1):
        yield "/".join(parts[:number])


def folders_of(tags: Iterable[str]) -> set[str]:
    """Every folder that a guest with these tags lies in."""
    return {folder for tag in tags for folder in lineage(tag)}


def inside(tag: str, folder: str) -> bool:
    """Whether the tag is the folder's own or lies below it."""
    return tag == folder or tag.startswith(f"{folder}/")


def lies_in(tags: Iterable[str], folder: str) -> bool:
    """Whether a guest with these tags lies in the folder."""
    return any(inside(tag, folder) for tag in tags)


def moved(tags: Collection[str], source: str, target: str) -> tuple[str, ...]:
    """The tags of a guest that leaves the folder `source` ("": none) for `target`.

    With a `target` of "" it only leaves. A tag that is in the target already stays.
    """
    left = [
        tag
        for tag in tags
        if not (source and inside(tag, source))
        or (target and inside(tag, target) and not inside(source, target))
    ]
    wanted = [target] if target and not lies_in(left, target) else []
    return tuple(dict.fromkeys([*left, *wanted]))


def renamed(tags: Iterable[str], folder: str, name: str) -> tuple[str, ...]:
    """The tags once the folder has this whole path instead; what lies below goes along."""
    return tuple(dict.fromkeys(renamed_one(tag, folder, name) for tag in tags))


def renamed_one(tag: str, folder: str, name: str) -> str:
    """One tag, once the folder has this whole path instead."""
    return name + tag[len(folder) :] if inside(tag, folder) else tag
