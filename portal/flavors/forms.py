"""What people type of flavors. Sizes stay as they are typed."""

from typing import Any

from django import forms

from guests.creation.amounts import HELP, words_of
from guests.creation.fields import SizeField
from kvmweb.errors import AppError, Conflict, Invalid
from portal.flavors.services import NAME_MAX, NOTE_MAX, About

_NAMES = {"memory_bytes": "memory", "disk_bytes": "disk"}


class FlavorForm(forms.Form):
    """A flavor, whole."""

    name = forms.CharField(
        max_length=NAME_MAX,
        help_text="People choose by it: “small”, “database”, “build machine”.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    note = forms.CharField(
        max_length=NOTE_MAX,
        required=False,
        label="What it is for",
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    vcpus = forms.IntegerField(label="vCPUs", min_value=1, initial=1)
    memory = SizeField(label="Memory", required=True, initial="2 GiB", help_text=HELP)
    disk = SizeField(label="Disk", required=True, initial="20 GiB")
    price_per_hour = forms.DecimalField(
        label="Price per hour",
        required=False,
        min_value=0,
        max_value=100_000,
        decimal_places=6,
        help_text="Empty: none is shown.",
    )

    def __init__(self, data: Any = None, now: About | None = None) -> None:
        super().__init__(data, initial=_typed(now) if now else None)
        self._now = now

    def about(self) -> About:
        """What it says; the form must be valid."""
        said = dict(self.cleaned_data)
        return About(
            memory_bytes=said.pop("memory"),
            disk_bytes=said.pop("disk"),
            active=self._now.active if self._now else True,
            position=self._now.position if self._now else None,
            **said,
        )

    def tell(self, error: AppError) -> None:
        """Put what a service refused beside the fields it is about."""
        told = error.errors if isinstance(error, Invalid | Conflict) else {}
        for name, sentences in told.items():
            field = _NAMES.get(name, name)
            self.add_error(field if field in self.fields else None, sentences)
        if not told:
            self.add_error(None, str(error))


def _typed(now: About) -> dict[str, Any]:
    told = {name: getattr(now, name) for name in About.__slots__}
    price = now.price_per_hour
    return told | {
        "memory": words_of(now.memory_bytes),
        "disk": words_of(now.disk_bytes),
        "price_per_hour": None if price is None else price.normalize(),
    }
