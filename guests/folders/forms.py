"""What people type about folders and views."""

from typing import Any

from django import forms
from django.http import QueryDict

from guests.creation.amounts import HELP, bytes_of, words_of
from guests.folders.models import FolderLimit
from guests.folders.saved import COLUMNS, Wish
from guests.folders.services import Limits
from guests.queries import Filters
from hosts.storage.forms import Told
from kvmweb.errors import Invalid

_PATH = (
    "Words with slashes between them, like web/prod; it holds for all below it, too."
)


class Amount(forms.CharField):
    """An amount of bytes as people write it; nothing is no limit."""

    def clean(self, value: Any) -> int | None:
        """The bytes."""
        said: str = super().clean(value)
        try:
            return bytes_of(said) if said.strip() else None
        except Invalid as error:
            raise forms.ValidationError(error.detail) from error


class LimitForm(Told):
    """How much a folder may hold."""

    path = forms.CharField(max_length=100, label="Folder", help_text=_PATH)
    guests = forms.IntegerField(required=False, min_value=0, label="Guests")
    vcpus = forms.IntegerField(required=False, min_value=0, label="vCPUs")
    memory_bytes = Amount(required=False, label="Memory", help_text=HELP)
    disk_bytes = Amount(required=False, label="Disks", help_text=HELP)
    note = forms.CharField(
        required=False, max_length=300, help_text="For whom or what, for example."
    )

    def __init__(self, row: FolderLimit | None, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if row is None:
            return
        del self.fields["path"]
        for name in ("guests", "vcpus", "note"):
            self.fields[name].initial = getattr(row, name)
        for name in ("memory_bytes", "disk_bytes"):
            count = getattr(row, name)
            self.fields[name].initial = "" if count is None else words_of(count)

    def limits(self) -> Limits:
        """The limits; the form must be valid."""
        told = {key: it for key, it in self.cleaned_data.items() if key != "path"}
        return Limits(**told)


class RenameForm(Told):
    """A folder's whole new path."""

    to = forms.CharField(
        max_length=100,
        label="New path",
        help_text="The tags of all guests in it change, and of those in folders below.",
    )


class ViewForm(Told):
    """A view to be kept, or kept otherwise."""

    name = forms.CharField(required=False, max_length=60)
    query = forms.CharField(required=False, max_length=4000)
    shared = forms.BooleanField(required=False)


class LookForm(Told):
    """How somebody likes the list."""

    dense = forms.ChoiceField(
        choices=[("yes", "Dense"), ("no", "Roomy")], required=False
    )
    columns = forms.MultipleChoiceField(choices=list(COLUMNS.items()), required=False)
    chosen = forms.BooleanField(required=False)  # columns were chosen, were it none
    query = forms.CharField(required=False, max_length=4000)

    def wish(self) -> Wish:
        """What is to be otherwise; the form must be valid."""
        told = self.cleaned_data
        hidden = None
        if told["chosen"]:
            hidden = tuple(it for it in COLUMNS if it not in told["columns"])
        dense = {"yes": True, "no": False}.get(told["dense"])
        return Wish(dense=dense, hidden=hidden)


def filters_of(query: str) -> Filters:
    """The filters that a query string says."""
    return Filters.of(QueryDict(query).dict())
