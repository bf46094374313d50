"""What the pages of moves are asked with."""

import datetime as dt
from typing import Any
from uuid import UUID

from django import forms
from django.http import QueryDict
from django.utils import timezone

from guests.proof.queries import Filters
from kvmweb.errors import Invalid
from kvmweb.operations.models import Operation


class FilterForm(forms.Form):
    """Which moves are listed; what is not understood counts as not said."""

    source = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
    target = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
    guest = forms.UUIDField(required=False)
    outcome = forms.CharField(required=False, max_length=9)

    def filters(self) -> Filters:
        """The same as values."""
        self.is_valid()
        told: dict[str, Any] = {k: v for k, v in self.cleaned_data.items() if v}
        return Filters(**told)


def asked_report(query: QueryDict) -> tuple[dt.date | None, Operation | None]:
    """The day or the drain that is asked for; today without either.

    Raises Invalid for a drain that is none, or a day that is no date.
    """
    return report_of(query.get("day", ""), query.get("drain", ""))


def report_of(day: str, drain: str) -> tuple[dt.date | None, Operation | None]:
    """The same from words."""
    if drain:
        return None, _drain(drain)
    if not day:
        return timezone.now().date(), None
    try:
        return dt.date.fromisoformat(day), None
    except ValueError as error:
        message = "A day is written as 2026-01-31."
        raise Invalid(message, errors={"day": [message]}) from error


def _drain(text: str) -> Operation:
    try:
        row = Operation.objects.filter(pk=UUID(text)).first()
    except ValueError:
        row = None
    if row is None:
        message = "There is no such drain."
        raise Invalid(message, errors={"drain": [message]})
    return row
