"""What pages of use are asked with: a month, and what hours cost."""

import re

from django import forms
from django.utils import timezone

from kvmweb.errors import Invalid
from portal.showback.models import Tariff
from portal.showback.reckoning import Month
from portal.showback.services import Prices

_MONTH = re.compile(r"(20\d\d)-(0[1-9]|1[0-2])")


def month_of(text: str) -> Month:
    """The month that is written so, this one without a word. Raises Invalid."""
    if not text:
        return Month.of(timezone.now())
    found = _MONTH.fullmatch(text)
    if found is None:
        message = "A month is written as 2026-01."
        raise Invalid(message, errors={"month": [message]})
    return Month(int(found[1]), int(found[2]))


def _price(label: str) -> forms.DecimalField:
    return forms.DecimalField(
        label=label, required=False, min_value=0, max_digits=14, decimal_places=6
    )


class PricesForm(forms.Form):
    """What an hour costs where no flavor says so; left empty, nothing is said."""

    vcpu = _price("One vCPU")
    memory_gib = _price("One GiB of memory")
    disk_gib = _price("One GiB of disk")
    currency = forms.CharField(label="Currency, like EUR", max_length=8, required=False)

    @classmethod
    def of(cls, tariff: Tariff) -> "PricesForm":
        """With what holds now."""
        now = (
            (name, getattr(tariff, name)) for name in ("vcpu", "memory_gib", "disk_gib")
        )
        first = {name: price and price.normalize() for name, price in now}
        return cls(initial={**first, "currency": tariff.currency})

    def prices(self) -> Prices:
        """What was typed; the form must be valid."""
        return Prices(**self.cleaned_data)
