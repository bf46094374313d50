"""Quotas and prices in templates."""

from decimal import Decimal

from django import template
from django.utils.safestring import SafeString, mark_safe

from kvmweb.templatetags.words import bytes_
from portal.projects.queries import Meter

register = template.Library()


@register.filter
def quota_bar(meter: Meter) -> SafeString:
    """What is used, and behind it what is reserved; nothing where there is no limit."""
    if meter.most is None:
        return SafeString("")
    used = _percent(meter.used, meter.most)
    taken = _percent(meter.used + meter.reserved, meter.most)
    level = "high" if taken >= 90 else "normal"
    return mark_safe(  # noqa: S308  # numbers and our own words only
        f'<svg class="bar quota" data-level="{level}" viewBox="0 0 100 4" '
        'preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="bar-reserved" width="{taken}" height="4"/>'
        f'<rect class="bar-fill" width="{used}" height="4"/></svg>'
    )


@register.filter
def quota_number(meter: Meter, part: str) -> str:
    """One of its numbers ("used", "reserved", "most", "left"), in its own unit."""
    number: int | None = getattr(meter, part)
    if number is None:
        return "no limit"
    return bytes_(number) if meter.name.endswith("_bytes") else str(number)


@register.filter
def price(amount: Decimal | None) -> str:
    """0.050000 → "0.05"; nothing where none is said."""
    return "" if amount is None else f"{amount.normalize():f}"


def _percent(part: int, whole: int) -> int:
    if part <= 0:
        return 0
    return 100 if part >= whole else max(1, round(100 * part / whole))
