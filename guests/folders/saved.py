"""Views of the list of guests that people keep, and how each likes it otherwise."""

from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import urlencode

from django.db import IntegrityError, transaction
from django.http import QueryDict
from django.urls import reverse

from guests.folders import access
from guests.folders.models import ListHabit, SavedView
from guests.queries import Filters
from kvmweb.accounts import audit
from kvmweb.accounts.gate import Right, may
from kvmweb.accounts.models import User
from kvmweb.accounts.services import Asker
from kvmweb.errors import Conflict, Forbidden, Invalid

MOST = 50  # of one person
COLUMNS = {  # what can be left out of the list, as people say it
    "host": "Host",
    "cpu": "CPU",
    "memory": "Memory",
    "disk": "Disk",
    "network": "Network",
    "address": "Address",
    "uptime": "Uptime",
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be kept; None is not said and stays as it is."""

    name: str | None = None
    shared: bool | None = None
    default: bool | None = None  # the list begins with it, for who asks
    filters: Filters | None = None
    hidden: tuple[str, ...] | None = None
    dense: bool | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """How the list is shown to somebody now."""

    views: list[SavedView]
    current: SavedView | None
    opens: int | None  # the view that their list begins with
    hidden: tuple[str, ...]
    dense: bool
    changed: bool = False  # the current view says other filters than the URL

    @property
    def first(self) -> SavedView | None:
        """The view that their list begins with."""
        return next((it for it in self.views if it.pk == self.opens), None)


def look(user: User, view_id: str, filters: Filters) -> Look:
    """Their views, the one that is open, and what is shown of the list. Two queries."""
    rows = list(access.views(user).select_related("owner"))
    habit = ListHabit.objects.filter(user=user).first() or ListHabit(user=user)
    current = next((it for it in rows if str(it.pk) == view_id), None)
    shown: SavedView | ListHabit = current or habit
    return Look(
        views=rows,
        current=current,
        opens=habit.opens_id if any(it.pk == habit.opens_id for it in rows) else None,
        hidden=tuple(it for it in COLUMNS if it in shown.hidden),
        dense=shown.dense,
        changed=current is not None and current.filters != told(filters),
    )


def add(wish: Wish, *, by: Asker) -> SavedView:
    """Keep a view. Raises Invalid, Forbidden, Conflict for a name one has already."""
    if SavedView.objects.filter(owner=by.user).count() >= MOST:
        raise Conflict(f"You have {MOST} views already.", hint="Delete one first.")
    view = SavedView(owner=by.user)
    return _kept(view, wish, by)


def edit(view: SavedView, wish: Wish, *, by: Asker) -> SavedView:
    """Change a view. Raises as `add`."""
    if wish == Wish(default=wish.default):  # everybody's own affair
        _open_first(view, by.user, wish)
        return view
    access.need_change(by.user, view)
    return _kept(view, wish, by)


def delete(view: SavedView, *, by: Asker) -> None:
    """Keep it no more. Raises Forbidden."""
    access.need_change(by.user, view)
    with transaction.atomic():
        if view.shared:
            _record("view.delete", view, by)
        view.delete()


def prefer(
    user: User, *, dense: bool | None = None, hidden: tuple[str, ...] | None = None
) -> None:
    """Remember how they like the list where no view says otherwise."""
    told: dict[str, Any] = {}
    if dense is not None:
        told["dense"] = dense
    if hidden is not None:
        told["hidden"] = _columns(hidden)
    ListHabit.objects.update_or_create(user=user, defaults=told)


def told(filters: Filters) -> dict[str, str]:
    """Filters as a view keeps them: what is said, and an order that is not the usual."""
    plain = Filters()
    return {
        each.name: value
        for each in fields(filters)
        if (value := getattr(filters, each.name)) != getattr(plain, each.name)
    }


def address(view: SavedView) -> str:
    """The list as this view has it."""
    kept = view.filters
    said = {it.name: kept[it.name] for it in fields(Filters) if it.name in kept}
    return f"{reverse('guests')}?{urlencode({'view': view.pk, **said})}"


def query_of(said: str, *, keeps_view: bool) -> str:
    """A query string of the list, with the words it knows only; never an empty one."""
    query = QueryDict(said[:4000])
    found = told(Filters.of(query.dict()))
    view = query.get("view", "")
    known = view if keeps_view and view.isdecimal() else "all"
    return urlencode({"view": known, **found})


def _kept(view: SavedView, wish: Wish, by: Asker) -> SavedView:
    was_shared = view.shared
    _take(view, wish)
    if view.shared != was_shared and not may(by.user, Right.SHARE_VIEWS):
        raise Forbidden("Only who runs all guests may share a view with everybody.")
    try:
        with transaction.atomic():
            view.save()
            if view.shared or was_shared:
                _record("view.share" if view.shared else "view.unshare", view, by)
            _open_first(view, by.user, wish)
    except IntegrityError:
        raise Conflict(
            f"There is a view named “{view.name}” already.", field="name"
        ) from None
    return view


def _take(view: SavedView, wish: Wish) -> None:
    for name in ("shared", "dense"):
        if (value := getattr(wish, name)) is not None:
            setattr(view, name, value)
    if wish.name is not None:
        view.name = _name(wish.name)
    if wish.filters is not None:
        view.filters = told(wish.filters)
    if wish.hidden is not None:
        view.hidden = _columns(wish.hidden)


def _open_first(view: SavedView, user: User, wish: Wish) -> None:
    if wish.default is None:
        return
    habit, _ = ListHabit.objects.get_or_create(user=user)
    if wish.default or habit.opens_id == view.pk:
        habit.opens = view if wish.default else None
        habit.save(update_fields=["opens"])


def _name(said: str) -> str:
    name = " ".join(said.split())
    if not name or len(name) > 60 or not name.isprintable():
        sentence = "Give it a name of at most 60 letters."
        raise Invalid(sentence, errors={"name": [sentence]})
    return name


def _columns(said: tuple[str, ...]) -> list[str]:
    if odd := [it for it in said if it not in COLUMNS]:
        sentence = f"{odd[0][:40]!r} is no column that can be left out."
        raise Invalid(sentence, errors={"hidden": [sentence]})
    return [it for it in COLUMNS if it in said]


def _record(action: str, view: SavedView, by: Asker) -> None:
    audit.record(
        action,
        actor=by.user,
        target=f"view:{view.pk}",
        outcome="succeeded",
        address=by.address,
        details={"name": view.name, "owner": view.owner.username},
    )
