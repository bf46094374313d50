"""The tree of folders beside the list of guests.

Written as strings, as the rows of the list are: two hundred folders are many parts.
"""

from html import escape
from typing import Any
from urllib.parse import quote

from django import template
from django.utils.safestring import SafeString, mark_safe

from guests.folders import access, saved
from guests.folders.models import SavedView
from guests.folders.paths import inside
from guests.folders.tree import Folder, Tree
from guests.queries import NO_FOLDER
from kvmweb.accounts.models import User

register = template.Library()


@register.simple_tag(takes_context=True)
def folder_tree(context: dict[str, Any], tree: Tree, chosen: str) -> SafeString:
    """All folders as links that narrow this list; those above the chosen one are open."""
    query = context["request"].GET.copy()
    for name in ("page", "folder", "tag"):
        query.pop(name, None)
    start = escape(f"?{query.urlencode()}&" if query else "?")
    whole = _link(tree.whole, "All guests", start, chosen)
    items = "".join(_item(each, start, chosen) for each in tree.top)
    rest = ""
    if tree.untagged.guests:
        told = _link(tree.untagged, "Without a tag", start, chosen)
        rest = f'<li data-key="-">{told}</li>'
    return mark_safe(  # noqa: S308  # each part is escaped where it is made
        f'<ul data-keyed><li data-key="/">{whole}</li>{items}{rest}</ul>'
    )


@register.simple_tag
def folder_options(tree: Tree, chosen: str) -> SafeString:
    """The same as options of a select, for phones; one that is not there stays chosen."""
    paths = [each.path for each in tree]
    if chosen and chosen not in paths and chosen != NO_FOLDER:
        paths.append(chosen)
    counts = {each.path: f" ({each.guests})" for each in tree}
    return mark_safe(  # noqa: S308  # each part is escaped
        "".join(
            f'<option value="{escape(path)}"{" selected" if path == chosen else ""}>'
            f"{escape(path)}{counts.get(path, '')}</option>"
            for path in paths
        )
    )


@register.filter
def view_address(view: SavedView) -> str:
    """The list as the view has it."""
    return saved.address(view)


@register.filter
def mine(view: SavedView, user: User) -> bool:
    """Whether this person may change it."""
    return access.may_change(user, view)


def _item(folder: Folder, start: str, chosen: str) -> str:
    path = escape(folder.path)
    below = ""
    if folder.children:
        opened = " open" if inside(chosen, folder.path) else ""
        inner = "".join(_item(each, start, chosen) for each in folder.children)
        below = (
            f'<details data-folder="{path}"{opened}><summary aria-label="Folders in '
            f'{path}"></summary><ul data-keyed>{inner}</ul></details>'
        )
    link = _link(folder, folder.name, start, chosen)
    return f'<li data-key="{path}">{link}{below}</li>'


def _link(folder: Folder, name: str, start: str, chosen: str) -> str:
    """Its name and counts; the title says what they mean."""
    here = ' aria-current="page"' if folder.path == chosen else ""
    drop = ""
    if folder.path and folder.path != NO_FOLDER:
        drop = f' data-drop-folder="{escape(folder.path)}"'
    told = f"{folder.guests} guests, {folder.running} running"
    alarm = ""
    if folder.alarming:
        told += f", {folder.alarming} crashed or in conflict"
        alarm = f"<strong>{folder.alarming} !</strong>"
    address = f"{start}folder={quote(folder.path)}" if folder.path else start
    return (
        f'<a href="{address}" title="{told}"{drop}{here}><span>{escape(name)}</span>'
        f"{alarm}<small>{folder.running}/{folder.guests}</small></a>"
    )
