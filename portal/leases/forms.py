"""What people type on the pages of leases."""

from datetime import UTC, datetime, time
from typing import Any

from django import forms

from kvmweb.errors import AppError, Invalid
from portal.leases.models import LONGEST_DAYS, Lease, Policy
from portal.leases.services import Rule, Terms


class _Told(forms.Form):
    def tell(self, error: AppError) -> None:
        """Put what a service refused at the field it is about."""
        told = error.errors if isinstance(error, Invalid) else {}
        for name, sentences in told.items():
            self.add_error(name if name in self.fields else None, sentences)
        if not told:
            self.add_error(None, str(error))


def _days(label: str, help_text: str = "") -> forms.IntegerField:
    return forms.IntegerField(
        label=label, min_value=0, max_value=LONGEST_DAYS, help_text=help_text
    )


class BulkForm(forms.Form):
    """Which leases are extended, and by how many days."""

    days = forms.IntegerField(min_value=1, max_value=LONGEST_DAYS)
    lease = forms.TypedMultipleChoiceField(coerce=int)

    def __init__(self, data: Any) -> None:
        super().__init__(data)
        field: Any = self.fields["lease"]
        field.choices = [
            (word, word) for word in data.getlist("lease")[:500] if _number(word)
        ]


class LeaseForm(_Told):
    """The end of one lease."""

    ends_at = forms.DateField(
        label="Ends on",
        help_text="At the end of that day, UTC.",
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    keeps_days = _days("Kept for", "Days between its shutdown and its deletion.")

    def __init__(self, lease: Lease, *args: Any, **kwargs: Any) -> None:
        kwargs["initial"] = {
            "ends_at": lease.ends_at.date(),
            "keeps_days": lease.keeps_days,
        }
        super().__init__(*args, **kwargs)

    def terms(self) -> Terms:
        """What was typed, once the form is valid; what stays is not said."""
        told = self.cleaned_data
        day = told["ends_at"] if "ends_at" in self.changed_data else None
        end = datetime.combine(day, time(23, 59, 59), UTC) if day else None
        return Terms(end, told["keeps_days"])


class RuleForm(_Told):
    """What members of a project may do without asking."""

    extend_days = _days("Days at a time", "0: they must ask.")
    extend_most_days = _days("Days in all", "Of one machine, without asking.")
    keeps_days = _days("Kept for", "Days between a shutdown and the deletion.")

    def __init__(self, policy: Policy, *args: Any, **kwargs: Any) -> None:
        kwargs["initial"] = {name: getattr(policy, name) for name in self.base_fields}
        super().__init__(*args, **kwargs)

    def rule(self) -> Rule:
        """What was typed, once the form is valid."""
        return Rule(**self.cleaned_data)


def _number(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) < 18
