"""What people type on the page of clones."""

from typing import Any

from django import forms

from guests.cloning.services import MOST, NAME_HELP, Wish
from guests.models import Guest
from hosts.models import Host


class CloneForm(forms.Form):
    """A clone, or some."""

    name = forms.CharField(max_length=63, help_text=NAME_HELP)
    linked = forms.ChoiceField(
        label="Its disks",
        choices=[
            ("no", "Full clone: copies of all disks, for themselves"),
            ("yes", "Linked clone: made at once, stands on the disks of a template"),
        ],
        widget=forms.RadioSelect,
    )
    host = forms.ModelChoiceField(
        queryset=Host.objects.filter(state=Host.State.UP, maintenance=False),
        required=False,
        empty_label="The same host",
        help_text="On another host the disks are copied through the network.",
    )
    count = forms.IntegerField(
        label="How many",
        min_value=1,
        max_value=MOST,
        initial=1,
        help_text="Several get numbered names: web-01, web-02.",
    )
    start = forms.BooleanField(required=False, label="Start it when it is made")

    def __init__(self, guest: Guest, *args: Any, **kwargs: Any) -> None:
        kwargs["initial"] = {
            "name": f"{guest.name[:50]}-clone".lower(),
            "linked": "yes" if guest.template else "no",
            "count": 1,
        }
        super().__init__(*args, **kwargs)

    def wish(self) -> Wish:
        """The clones, once the form is valid."""
        told = self.cleaned_data
        return Wish(
            name=told["name"],
            linked=told["linked"] == "yes",
            host=told["host"].pk if told["host"] else None,
            start=told["start"],
            count=told["count"],
        )
