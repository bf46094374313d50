"""What people can ask of folders: limits on them, guests moved between them, new names."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from uuid import UUID

from django.db import IntegrityError, transaction

from guests import edits, labelling
from guests.access import may_on, visible
from guests.balance.models import PlacementRule
from guests.book import announce
from guests.edits import TAG, TAGS_MAX, Edit
from guests.folders import ledger, paths
from guests.folders.ledger import Full
from guests.folders.models import FolderLimit, SavedView
from guests.models import Guest
from guests.queries import in_folder
from kvmweb.accounts import audit
from kvmweb.accounts.gate import Right, may, sees_all
from kvmweb.accounts.services import Asker
from kvmweb.errors import Conflict, Forbidden, Invalid, NotFound

MOST = 2**53
GUESTS_MAX = 500  # moved by one click


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a folder may hold; None: any amount."""

    guests: int | None = None
    vcpus: int | None = None
    memory_bytes: int | None = None
    disk_bytes: int | None = None
    note: str = ""

    def check(self) -> None:
        """Nothing. Raises Invalid naming each number that cannot be one."""
        errors: dict[str, list[str]] = {}
        for name, most in (("guests", 2**31 - 1), ("vcpus", 2**31 - 1)):
            errors |= _between(name, getattr(self, name), most)
        for name in ("memory_bytes", "disk_bytes"):
            errors |= _between(name, getattr(self, name), MOST)
        if all(getattr(self, it) is None for it in _NUMBERS):
            errors["guests"] = ["Limit at least one thing."]
        if errors:
            raise Invalid("It cannot be limited so.", errors=errors)


_NUMBERS = ("guests", "vcpus", "memory_bytes", "disk_bytes")


def limits_of(row: FolderLimit) -> Limits:
    """What is limited now."""
    return Limits(**{each.name: getattr(row, each.name) for each in fields(Limits)})


def limit(path: str, limits: Limits, *, by: Asker) -> FolderLimit:
    """Limit a folder. What lies in it already stays, however much it is.

    Raises Invalid, and Conflict when it has a limit already.
    """
    need_path(path, "path")
    limits.check()
    row = FolderLimit(path=path, **_told(limits))
    try:
        with transaction.atomic():
            row.save(force_insert=True)
            _record("folder.limit", path, by, **_told(limits))
    except IntegrityError:
        raise Conflict(
            f"The folder {path} has a limit already.", field="path"
        ) from None
    return row


def change_limit(row: FolderLimit, limits: Limits, *, by: Asker) -> FolderLimit:
    """Other numbers for it. Raises Invalid, and NotFound when it went meanwhile."""
    limits.check()
    with transaction.atomic():
        found = FolderLimit.objects.select_for_update().filter(pk=row.pk).first()
        if found is None:
            raise NotFound("There is no such limit.")
        for name, value in _told(limits).items():
            setattr(found, name, value)
        found.save()
        _record("folder.limit", found.path, by, **_told(limits))
    return found


def unlimit(row: FolderLimit, *, by: Asker) -> None:
    """Limit it no more."""
    with transaction.atomic():
        _record("folder.unlimit", row.path, by)
        row.delete()


def move(
    chosen: Collection[UUID], target: str, *, source: str = "", by: Asker
) -> list[Guest]:
    """Put guests into a folder, all or none; those that changed.

    They leave `source` with all tags they have there; without one they stay where they
    are, too. With a `target` of "" they only leave.

    Raises NotFound for one they do not see, Forbidden, Invalid, Full.
    """
    if target:
        need_path(target, "to")
    if not (target or source):
        raise _invalid("to", "Say a folder that they go to, or one that they leave.")
    if len(chosen) > GUESTS_MAX:
        raise _invalid("guests", f"Move at most {GUESTS_MAX} at once.")
    with transaction.atomic():
        rows = _locked(chosen, by)
        if len(rows) < len(set(chosen)):
            raise NotFound("There is no such guest.")
        for guest in rows:
            if not may_on(by.user, guest, Right.EDIT):
                raise Forbidden(f"You may not change the tags of {guest.name}.")
        then = {it: paths.moved(it.tags, source, target) for it in rows}
        about = {"from": source, "to": target}
        return _retag(then, "folder.move", target or source, about, by)


def rename(folder: str, name: str, *, by: Asker) -> tuple[list[Guest], int]:
    """Give a folder another path, and all below it: the guests that changed, as one.

    The second is how many stay because this person may not edit them. Limits go along
    where they may set limits, rules about tags where they may set those, and their own
    views. Raises Invalid, Full, NotFound when nothing that they see lies there.
    """
    need_path(name, "to")
    if paths.inside(name, folder) and name != folder:
        raise _invalid("to", f"{folder} cannot lie in itself.")
    with transaction.atomic():
        seen = visible(by.user).filter(in_folder(folder)).values_list("pk", flat=True)
        rows = _locked(list(seen), by)
        if not rows:
            raise NotFound("There is no such folder.")
        mine = [it for it in rows if may_on(by.user, it, Right.EDIT)]
        if not mine:
            raise Forbidden("You may not change the tags of any guest in it.")
        left = len(rows) - len(mine)
        if not left and sees_all(by.user):
            _rename_rows(folder, name, by)
        then = {it: paths.renamed(it.tags, folder, name) for it in mine}
        about = {"from": folder, "to": name, "left": left}
        changed = _retag(then, "folder.rename", folder, about, by)
        _rename_views(folder, name, by)
    return changed, left


def need_path(path: str, part: str) -> None:
    """Nothing. Raises Invalid for what is no path of a folder."""
    if not TAG.fullmatch(path):
        raise _invalid(
            part,
            f"{path[:60]!r} is no folder: small letters, digits, dots and dashes, and "
            "slashes between words, like web/prod.",
        )


def _retag(
    then: dict[Guest, tuple[str, ...]],
    action: str,
    folder: str,
    about: Mapping[str, object],
    by: Asker,
) -> list[Guest]:
    """Write the tags of all of them, in one audit record and one piece of news."""
    changing = {it: tags for it, tags in then.items() if tags != tuple(it.tags)}
    for guest, tags in changing.items():
        if len(tags) > TAGS_MAX:
            raise Conflict(f"{guest.name} has {TAGS_MAX} tags already; take one away.")
        if wrong := [tag for tag in tags if not TAG.fullmatch(tag)]:
            raise _invalid("to", f"{wrong[0]!r} would be too long or too deep.")
    try:
        ledger.need_room(ledger.retagged(changing))
    except Full as error:
        raise error.told(by.user) from error
    for guest, tags in changing.items():
        edits.apply(guest, Edit(tags=tags))
    names = sorted(guest.name for guest in changing)
    _record(action, folder, by, **about, count=len(names), guests=names[:GUESTS_MAX])
    if changing:
        labelling.many(changing, by)
        announce({guest.pk for guest in changing})
    return list(changing)


def _locked(chosen: Collection[UUID], by: Asker) -> list[Guest]:
    """Those of them that this person sees; nobody else changes their tags meanwhile."""
    seen = set(visible(by.user).filter(pk__in=chosen).values_list("pk", flat=True))
    rows = Guest.objects.select_for_update(of=("self",)).filter(pk__in=seen)
    return list(rows.select_related("host", "owner", "project").order_by("pk"))


def _rename_rows(folder: str, name: str, by: Asker) -> None:
    """Limits and rules of the folder and below it go along, where the person may."""
    if may(by.user, Right.LIMIT_FOLDERS):
        rows = FolderLimit.objects.select_for_update().order_by("path")
        old = [row for row in rows if paths.inside(row.path, folder)]
        new = {paths.renamed_one(row.path, folder, name): row for row in old}
        others = {row.path for row in rows} - {row.path for row in old}
        if taken := others & new.keys():
            raise Conflict(
                f"The folders {folder} and {name} have limits both ({min(taken)}).",
                hint="Take one of the limits away first.",
            )
        for path, row in new.items():
            row.path = path
            row.save(update_fields=["path"])
    if may(by.user, Right.BALANCE):
        for rule in PlacementRule.objects.filter(tag__startswith=folder):
            if paths.inside(rule.tag, folder):
                _rename_rule(rule, paths.renamed_one(rule.tag, folder, name))


def _rename_rule(rule: PlacementRule, tag: str) -> None:
    same = PlacementRule.objects.filter(
        tag=tag, kind=rule.kind, host_tag=rule.host_tag
    ).exclude(pk=rule.pk)
    if same.exists() or len(tag) > 40:
        raise Conflict(
            f"The rule about guests with the tag {rule.tag} cannot go along.",
            hint="Remove it first.",
        )
    rule.tag = tag
    rule.save(update_fields=["tag"])


def _rename_views(folder: str, name: str, by: Asker) -> None:
    for view in SavedView.objects.filter(owner=by.user):
        here = view.filters.get("folder", "")
        if paths.inside(here, folder):
            view.filters["folder"] = paths.renamed_one(here, folder, name)
            view.save(update_fields=["filters"])


def _told(limits: Limits) -> dict[str, object]:
    return {each.name: getattr(limits, each.name) for each in fields(limits)}


def _between(name: str, value: int | None, most: int) -> dict[str, list[str]]:
    if value is None or 0 <= value <= most:
        return {}
    return {name: [f"Give a number from 0 to {most}."]}


def _invalid(part: str, sentence: str) -> Invalid:
    return Invalid(sentence, errors={part: [sentence]})


def _record(action: str, folder: str, by: Asker, **details: object) -> None:
    audit.record(
        action,
        actor=by.user,
        target=f"folder:{folder}",
        outcome="succeeded",
        address=by.address,
        details=details,
    )
