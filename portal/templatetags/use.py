"""Hours and money in templates."""

from decimal import Decimal

from django import template

register = template.Library()


@register.filter
def hours(count: float) -> str:
    """1234.56 → "1,234.6"; small ones keep two digits."""
    return f"{count:,.1f}" if count >= 10 else f"{count:,.2f}"


@register.filter
def money(amount: Decimal, currency: str) -> str:
    """12.345 → "12.35 EUR"."""
    return f"{amount.quantize(Decimal('0.01')):,} {currency}".strip()
