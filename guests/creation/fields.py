"""Fields of the page of a new guest: sizes kept as typed, long lists drawn quickly."""

from html import escape
from typing import Any

from django import forms
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from guests.creation import amounts
from guests.creation.choices import Groups
from kvmweb.errors import Invalid


class SizeField(forms.CharField):
    """An amount that is typed with its unit; its value is bytes, or None for nothing."""

    def __init__(self, *, least: int = 0, **about: Any) -> None:
        super().__init__(**({"required": False, "max_length": 32} | about))
        self._least = least  # bytes

    def clean(self, value: Any) -> Any:
        """The bytes. What was typed stays in the form as it is."""
        typed = super().clean(value)
        if not typed:
            return None
        try:
            found = amounts.bytes_of(typed)
        except Invalid as error:
            raise forms.ValidationError(error.detail) from error
        if found < self._least:
            raise forms.ValidationError("It needs some; empty: what its system likes.")
        return found


class QuickSelect(forms.Select):
    """A list of hundreds: Django's own takes a template for each option."""

    groups: Groups = []

    def render(
        self,
        name: str,
        value: Any,
        attrs: dict[str, Any] | None = None,
        renderer: Any = None,
    ) -> SafeString:
        """The whole element."""
        told = {"name": name, **self.attrs, **(attrs or {})}
        words = format_html_join(
            "", ' {}="{}"', ((key, text) for key, text in told.items() if text)
        )
        chosen = (
            {str(each) for each in value} if _several(value) else {str(value or "")}
        )
        inside = format_html_join(
            "", "{}", ((_group(*group, chosen),) for group in self.groups)
        )
        return format_html("<select{}>{}</select>", words, inside)


class QuickSelectSeveral(QuickSelect):
    """Of which several can be chosen."""

    allow_multiple_selected = True

    def __init__(self) -> None:
        super().__init__({"multiple": "multiple", "size": "4"})

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        """All that were chosen."""
        return data.getlist(name) if hasattr(data, "getlist") else data.get(name)


class OneOf(forms.CharField):
    """One of a list that is set later, or the empty word."""

    widget = QuickSelect

    def __init__(self, **about: Any) -> None:
        super().__init__(**({"required": False, "max_length": 300} | about))

    def widget_attrs(self, widget: Any) -> dict[str, Any]:
        """None: a list has no longest text."""
        return {}

    def offer(self, groups: Groups, empty: str = "") -> None:
        """What can be chosen; `empty` is what the empty word says, if it can be."""
        first: Groups = [("", [("", empty)])] if empty else []
        widget: Any = self.widget
        widget.groups = [*first, *groups]


class SeveralOf(forms.Field):
    """Some of a list; its value is their words."""

    widget = QuickSelectSeveral

    def __init__(self, **about: Any) -> None:
        super().__init__(**({"required": False} | about))

    def to_python(self, value: Any) -> list[str]:
        """The words that were chosen."""
        return [str(each)[:32] for each in value or []][:100]

    def offer(self, groups: Groups) -> None:
        """What can be chosen."""
        widget: Any = self.widget
        widget.groups = groups


def _several(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _group(title: str, options: list[tuple[str, str]], chosen: set[str]) -> SafeString:
    inside = "".join(
        f'<option value="{escape(word)}"{" selected" * (word in chosen)}>'
        f"{escape(words)}</option>"
        for word, words in options
    )
    if not title:
        return SafeString(inside)
    return SafeString(f'<optgroup label="{escape(title)}">{inside}</optgroup>')
