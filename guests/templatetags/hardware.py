"""Hardware and versions of guests in templates: people's words, and changed lines."""

from django import template
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

register = template.Library()

_FIRMWARES = {"bios": "BIOS", "uefi": "UEFI", "uefi-secure": "UEFI with secure boot"}
_BOOTS = {"hd": "disk", "cdrom": "CD", "network": "network", "fd": "floppy"}
_LINES = {"+": "added", "-": "removed", "@": "place"}


@register.filter
def firmware(word: str) -> str:
    """ "uefi" → "UEFI"."""
    return _FIRMWARES.get(word, word)


@register.filter
def boots(places: list[str]) -> str:
    """What it boots from, in order; a target or MAC address stays as it is."""
    return ", ".join(_BOOTS.get(place, place) for place in places)


@register.filter
def diff(text: str) -> SafeString:
    """A unified diff, its lines marked; the signs before them stay for who sees no colour."""
    lines = text.splitlines(keepends=True)
    return format_html_join(
        "", '<span class="{}">{}</span>', ((_LINES.get(it[:1], ""), it) for it in lines)
    )
