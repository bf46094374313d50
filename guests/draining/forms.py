"""What people choose on the page that empties a host."""

from collections.abc import Sequence
from typing import Any

from django import forms

from guests.draining.planning import Stuck
from hosts.evacuating import LEAVE, SHUT_DOWN, SUSPEND, Ways
from kvmweb.errors import AppError

_FATES = [
    (LEAVE, "Leave it as it is"),
    (SHUT_DOWN, "Shut it down"),
    (SUSPEND, "Suspend it: its memory goes to the host's disk"),
]
_MOST = 16


class DrainForm(forms.Form):
    """How the host is emptied; a choice for each guest that is stuck."""

    per_target = forms.IntegerField(
        label="To one host",
        initial=2,
        help_text="Moves to the same host, and between the same two.",
        min_value=1,
        max_value=_MOST,
    )
    per_source = forms.IntegerField(
        label="In all", initial=3, min_value=1, max_value=_MOST
    )
    carry = forms.BooleanField(required=False, label="Move those that are off, too")

    def __init__(self, stuck: Sequence[Stuck], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for each in stuck:
            self.fields[f"fate-{each.guest}"] = forms.ChoiceField(
                choices=_FATES, initial=LEAVE, label=each.name, required=False
            )
        self.stuck = [(each, self[f"fate-{each.guest}"]) for each in stuck]

    def ways(self) -> Ways:
        """How, once the form is valid."""
        told = self.cleaned_data
        choices = {
            name.removeprefix("fate-"): value or LEAVE
            for name, value in told.items()
            if name.startswith("fate-")
        }
        return Ways(
            choices=choices,
            carry=told["carry"],
            per_target=told["per_target"],
            per_source=told["per_source"],
        )

    def tell(self, error: AppError) -> None:
        """Say what a service refused."""
        self.add_error(None, str(error))
