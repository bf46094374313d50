"""What people type on the pages of snapshots."""

from typing import Any

from django import forms
from django.utils import timezone

from guests.edits import DESCRIPTION_MAX
from guests.models import Guest
from guests.snapshots.services import NAME_HELP, Wish


class SnapshotForm(forms.Form):
    """A snapshot to be made."""

    name = forms.CharField(max_length=63, help_text=NAME_HELP)
    description = forms.CharField(
        required=False,
        max_length=DESCRIPTION_MAX,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="What is about to change, or why it is kept.",
    )
    memory = forms.BooleanField(
        required=False,
        label="Memory, too",
        help_text="It goes on exactly where it was. Without, it starts anew from its "
        "disks as they are now.",
    )

    def __init__(self, guest: Guest, *args: Any, **kwargs: Any) -> None:
        kwargs["initial"] = {"name": f"{timezone.now():at-%Y-%m-%d-%H%M}"}
        super().__init__(*args, **kwargs)
        if guest.state not in {"running", "paused"}:
            del self.fields["memory"]

    def wish(self) -> Wish:
        """The snapshot, once the form is valid."""
        told = self.cleaned_data
        return Wish(
            name=told["name"],
            description=told["description"].replace("\r\n", "\n"),
            memory=told.get("memory", False),
        )


class SureForm(forms.Form):
    """Saying that something is to be lost, by typing a name."""

    name = forms.CharField(
        max_length=2048,
        strip=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def __init__(self, wanted: str, label: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._wanted = wanted
        self.fields["name"].label = label
        self.fields["name"].help_text = f"Type “{wanted}” to go on."

    def clean_name(self) -> str:
        """The name, typed as it is."""
        name: str = self.cleaned_data["name"]
        # A browser's text field holds neither line breaks nor a stray blank at its end.
        if name.split() != self._wanted.split():
            raise forms.ValidationError("This is not its name.")
        return name
