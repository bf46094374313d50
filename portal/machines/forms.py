"""What people type on the pages of their machines."""

from typing import Any

from django import forms

from guests.creation.amounts import words_of
from guests.creation.fields import SizeField
from guests.hardware.resizing import main_disk
from guests.models import Guest
from kvmweb.accounts.models import User
from kvmweb.errors import AppError, Conflict, Invalid
from portal.leases.models import LONGEST_DAYS
from portal.machines import access
from portal.requests.asking import REASON_MAX
from portal.requests.resizing import Size


class _Told(forms.Form):
    """A form that shows what a service refused, at its field where it has it."""

    NAMES: dict[str, str] = {}  # what services call it → the field

    def tell(self, error: AppError) -> None:
        """Put the refusal where it belongs."""
        told = error.errors if isinstance(error, Invalid | Conflict) else {}
        for name, sentences in told.items():
            field = self.NAMES.get(name, name)
            self.add_error(field if field in self.fields else None, sentences)
        if not told:
            self.add_error(None, str(error))


def _reason(help_text: str) -> forms.CharField:
    return forms.CharField(
        required=False,
        max_length=REASON_MAX,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=help_text,
    )


class ExtendForm(_Told):
    """How many days longer; more than the rule gives is asked for."""

    NAMES = {"lease_days": "days"}

    days = forms.IntegerField(
        label="Days longer", min_value=1, max_value=LONGEST_DAYS, initial=30
    )
    reason = _reason("Read by who decides, where somebody has to.")


class SizeForm(_Told):
    """Another size."""

    NAMES = {"memory_bytes": "memory", "disk_bytes": "disk"}

    vcpus = forms.IntegerField(label="vCPUs", min_value=1, max_value=1024)
    memory = SizeField(required=True, help_text="With its unit: “4 GiB”.")
    disk = SizeField(
        required=False,
        help_text="It can grow, never shrink. The file system in it grows at its next "
        "start, or by hand.",
    )
    reason = _reason("What it is needed for; read by who decides.")

    def __init__(self, guest: Guest, *args: Any, **kwargs: Any) -> None:
        disk = main_disk(guest)
        kwargs["initial"] = {
            "vcpus": guest.vcpus,
            "memory": words_of(guest.memory_bytes),
            "disk": words_of(disk.capacity_bytes) if disk else "",
        }
        super().__init__(*args, **kwargs)
        if disk is None:
            del self.fields["disk"]

    def size(self) -> Size:
        """What was typed, once the form is valid."""
        told = self.cleaned_data
        return Size(told["vcpus"], told["memory"], told.get("disk") or 0)


class HandOverForm(_Told):
    """To which colleague it goes."""

    to = forms.ModelChoiceField(
        label="To",
        queryset=User.objects.none(),
        to_field_name="username",
        empty_label="Choose somebody",
    )

    def __init__(self, guest: Guest, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["to"]
        field.queryset = access.colleagues(guest)


class DeleteForm(_Told):
    """Saying that a machine is to go for good, by typing its name."""

    name = forms.CharField(
        label="Its name",
        max_length=255,
        strip=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def __init__(self, guest: Guest, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._name = guest.name
        self.fields["name"].help_text = f"Type “{guest.name}” to delete it."

    def clean_name(self) -> str:
        """The machine's name, typed as it is."""
        name: str = self.cleaned_data["name"]
        # A browser's text field holds neither line breaks nor a stray blank at its end.
        if name.split() != self._name.split():
            raise forms.ValidationError("This is not its name.")
        return name
