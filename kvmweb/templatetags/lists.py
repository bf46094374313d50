"""Lists on pages: another page of it, without a filter, sorted by a column."""

from typing import Any

from django import template
from django.http import HttpRequest, QueryDict
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString

register = template.Library()


def _query(request: HttpRequest, **changes: object) -> str:
    query: QueryDict = request.GET.copy()
    for name, value in changes.items():
        if value in ("", None):
            query.pop(name, None)
        else:
            query[name] = str(value)
    return f"?{query.urlencode()}"


@register.simple_tag(takes_context=True)
def at_page(context: dict[str, Any], number: int) -> str:
    """This list, at another page."""
    return _query(context["request"], page=number)


@register.simple_tag(takes_context=True)
def without(context: dict[str, Any], name: str) -> str:
    """This list, without one of its filters."""
    return _query(context["request"], page=None, **{name: None})


@register.simple_tag(takes_context=True)
def column(
    context: dict[str, Any], name: str, title: str, css: str = "", param: str = "sort"
) -> SafeString:
    """A column's head that sorts by it; again: the other way round."""
    current = getattr(context.get("filters"), param, "") or ""
    falling = current == f"-{name}"
    rising = current == name
    turned = f"-{name}" if rising else name
    order = "ascending" if rising else "descending" if falling else "none"
    mark = " ▲" if rising else " ▼" if falling else ""
    return format_html(
        '<th scope="col" class="{}" aria-sort="{}"><a href="{}">{}'
        '<span class="sort-mark" aria-hidden="true">{}</span></a></th>',
        css, order, _query(context["request"], page=None, **{param: turned}),
        conditional_escape(title), mark,
    )  # fmt: skip
