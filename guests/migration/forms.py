"""What people choose in the dialog of a move."""

from typing import Any

from django import forms

from guests.migration.ladder import POLICIES
from guests.migration.wishes import (
    BANDWIDTH_MOST_MIB_S,
    DOWNTIME_MOST_MS,
    LIVE,
    MUST_FINISH,
    OFFLINE,
    PARALLEL_MOST,
    MoveWish,
)
from guests.models import Guest

_SWITCH = [("", "As the policy says"), ("yes", "Yes"), ("no", "No")]


class MoveForm(forms.Form):
    """How it is to move; where to is said by the button that was pressed."""

    host = forms.IntegerField(required=False, widget=forms.HiddenInput)
    mode = forms.ChoiceField(
        choices=[(LIVE, "Live: it runs on the way"), (OFFLINE, "Offline: it is off")],
    )
    policy = forms.ChoiceField(
        required=False,
        initial=MUST_FINISH,
        choices=[(it.name, f"{it.title}: {it.about}") for it in POLICIES.values()],
        help_text="What happens when it changes its memory faster than that can be sent.",
    )
    storage = forms.ChoiceField(
        required=False,
        choices=[
            ("auto", "Shared where that is proved, else copied"),
            ("shared", "Only if it is shared"),
            ("copy", "Copy the disks"),
        ],
    )
    max_downtime_ms = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=DOWNTIME_MOST_MS,
        label="Standing still for at most (ms)",
    )
    bandwidth_mib_s = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=BANDWIDTH_MOST_MIB_S,
        label="Sending at most (MiB/s)",
    )
    auto_converge = forms.ChoiceField(
        required=False, choices=_SWITCH, label="Slow it down when it must be"
    )
    post_copy = forms.ChoiceField(required=False, choices=_SWITCH, label="Post-copy")
    compression = forms.BooleanField(required=False, label="Compress its memory")
    parallel = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=PARALLEL_MOST,
        label="Connections at once",
    )

    def __init__(self, guest: Guest, *args: Any, **kwargs: Any) -> None:
        running = guest.state in {"running", "paused"}
        kwargs["initial"] = {"mode": LIVE if running else OFFLINE}
        super().__init__(*args, **kwargs)

    def details(self) -> list[forms.BoundField]:
        """What is folded away."""
        return [self[name] for name in self.fields if name != "host"]

    def wish(self) -> MoveWish:
        """The move, once the form is valid. Raises Invalid for contradictions."""
        told = self.cleaned_data
        return MoveWish(
            host=told["host"],
            mode=told["mode"],
            storage=told["storage"] or "auto",
            bandwidth_mib_s=told["bandwidth_mib_s"],
            max_downtime_ms=told["max_downtime_ms"],
            auto_converge=_switch(told["auto_converge"]),
            post_copy=_switch(told["post_copy"]),
            policy=told["policy"] or MUST_FINISH,
            compression=told["compression"],
            parallel=told["parallel"] or 0,
        )


def _switch(word: str) -> bool | None:
    return {"yes": True, "no": False}.get(word)
