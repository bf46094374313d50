"""What people type on the page of balancing."""

from typing import Any

from django import forms

from guests.balance.models import Autopilot, PlacementRule
from guests.balance.services import Course, Pair
from kvmweb.errors import AppError, Invalid

_TAG = r"[a-z0-9]([a-z0-9._:-]{0,38}[a-z0-9])?"
_TAGS = "A tag has up to 40 small letters and digits, and . _ : - between them."


class _Told(forms.Form):
    def tell(self, error: AppError) -> None:
        """Put what a service refused beside the fields it is about."""
        errors = error.errors if isinstance(error, Invalid) else {}
        for name, sentences in errors.items():
            for sentence in sentences:
                self.add_error(name if name in self.fields else None, sentence)
        if not errors:
            self.add_error(None, str(error))


class RuleForm(_Told):
    """Where guests with a tag belong."""

    tag = forms.RegexField(
        _TAG, label="Guests with the tag", error_messages={"invalid": _TAGS}
    )
    kind = forms.ChoiceField(
        choices=PlacementRule.Kind.choices, label="What they shall do"
    )
    host_tag = forms.RegexField(
        _TAG,
        required=False,
        label="Tag of the hosts",
        help_text="Only where they shall stay on hosts with a tag.",
        error_messages={"invalid": _TAGS},
    )
    must = forms.BooleanField(
        required=False,
        initial=True,
        label="They must; without this it is only preferred",
    )

    def rule(self) -> PlacementRule:
        """The rule, not stored yet; the form must be valid."""
        return PlacementRule(**self.cleaned_data)


class CourseForm(_Told):
    """How far balancing runs by itself."""

    tag = forms.RegexField(
        _TAG,
        required=False,
        label="Only guests with the tag",
        error_messages={"invalid": _TAGS},
    )
    enabled = forms.BooleanField(required=False, label="Balance by itself")
    threshold_percent = forms.IntegerField(
        label="From so much less waiting (%)", initial=10, min_value=1, max_value=100
    )
    hold_s = forms.IntegerField(
        label="That lasted for (seconds)", initial=600, min_value=0
    )
    cool_down_s = forms.IntegerField(
        label="Then rest for (seconds)", initial=3600, min_value=0
    )

    def course(self) -> Course:
        """How far; the form must be valid."""
        told: dict[str, Any] = dict(self.cleaned_data)
        del told["tag"]
        return Course(**told)


def pairs_of(values: list[str]) -> list[Pair]:
    """Ticked moves, each as "UUID host"; what is not understood is passed over."""
    words = [value.split() for value in values]
    return [
        (each[0], int(each[1]))
        for each in words
        if len(each) == 2 and each[1].isdecimal()
    ]


def initial_of(pilot: Autopilot | None) -> dict[str, Any]:
    """What the form starts with."""
    if pilot is None:
        return {}
    names = ("tag", "enabled", "threshold_percent", "hold_s", "cool_down_s")
    return {name: getattr(pilot, name) for name in names}
