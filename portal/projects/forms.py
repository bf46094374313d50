"""What people type of projects. Sizes stay as they are typed."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django import forms

from guests.creation.amounts import words_of
from guests.creation.choices import Groups
from guests.creation.fields import OneOf, SeveralOf, SizeField
from kvmweb.accounts.models import Member, Project
from kvmweb.errors import AppError, Conflict, Invalid
from portal.projects.queries import Known
from portal.projects.services import LIMITS, Wish

_SIZES = {name: name.removesuffix("_bytes") for name in LIMITS if "_bytes" in name}
_SCOPE = ("networks", "images", "flavors", "host_tags")


def _count(label: str, help_text: str = "") -> forms.IntegerField:
    return forms.IntegerField(
        label=label, required=False, min_value=0, max_value=2**31, help_text=help_text
    )


class _Told(forms.Form):
    def tell(self, error: AppError) -> None:
        """Put what a service refused beside the fields it is about."""
        told = error.errors if isinstance(error, Invalid | Conflict) else {}
        for name, sentences in told.items():
            plain = name.removeprefix("scope.")
            field = _SIZES.get(plain, plain)
            self.add_error(field if field in self.fields else None, sentences)
        if not told:
            self.add_error(None, str(error))


class ProjectForm(_Told):
    """A project, whole; of a limit that is left empty there is none."""

    name = forms.CharField(
        max_length=63,
        help_text="Small letters, digits, dots and dashes: “web-shop”.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    note = forms.CharField(
        max_length=2000,
        required=False,
        label="What it is for",
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    guests = _count("Guests")
    vcpus = _count("vCPUs")
    memory = SizeField(label="Memory")
    disk = SizeField(label="Disk")
    guest_vcpus = _count("vCPUs")
    guest_memory = SizeField(label="Memory")
    guest_disk = SizeField(label="Disk")
    snapshots = _count("Snapshots")
    networks = SeveralOf(label="Networks")
    images = SeveralOf(label="Images")
    flavors = SeveralOf(label="Flavors")
    host_tags = SeveralOf(label="Hosts with one of the tags")

    def __init__(
        self,
        offers: Mapping[str, Iterable[tuple[str, str]]],
        data: Any = None,
        now: Known | None = None,
    ) -> None:
        super().__init__(data, initial=_typed(now) if now else None)
        for name in _SCOPE:
            groups: Groups = [("", list(offers[name]))]
            self.fields[name].offer(groups)  # type: ignore[attr-defined]

    def wish(self) -> Wish:
        """What it says; the form must be valid."""
        said = self.cleaned_data
        return Wish(
            name=said["name"],
            note=said["note"],
            quota={name: said[_SIZES.get(name, name)] for name in LIMITS},
            scope={name: said[name] for name in _SCOPE},
        )


class MemberForm(_Told):
    """Somebody, and what they are in the project."""

    user = forms.CharField(
        max_length=64,
        label="User name",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    role = forms.ChoiceField(choices=Member.Role.choices, initial=Member.Role.OPERATOR)


class GuestForm(_Told):
    """A guest that is in no project, to be given to this one."""

    guest = OneOf(label="A guest that is in no project", required=True)

    def __init__(self, offers: Iterable[tuple[Any, str]], data: Any = None) -> None:
        super().__init__(data)
        self.offers = [(str(pk), name) for pk, name in offers]
        groups: Groups = [("", self.offers)]
        self.fields["guest"].offer(groups)  # type: ignore[attr-defined]

    def clean_guest(self) -> str:
        """The word that was chosen. It must be one of those offered."""
        word: str = self.cleaned_data["guest"]
        if word not in dict(self.offers):
            raise forms.ValidationError("Choose one of the list.")
        return word

    def uuid(self) -> UUID:
        """The guest; the form must be valid."""
        return UUID(self.cleaned_data["guest"])


class DeleteForm(_Told):
    """Its name, typed by who really means it."""

    name = forms.CharField(max_length=64, label="Type its name to confirm")

    def __init__(self, project: Project, data: Any = None) -> None:
        super().__init__(data)
        self._project = project

    def clean_name(self) -> str:
        """The name. It must be the project's."""
        typed: str = self.cleaned_data["name"].strip()
        if typed != self._project.name:
            raise forms.ValidationError(f"This is not {self._project.name}.")
        return typed


def _typed(now: Known) -> dict[str, Any]:
    usage = now.usage
    numbers: dict[str, int | None] = {
        **usage.limits.told(),
        "guest_vcpus": usage.guest_limits.vcpus,
        "guest_memory_bytes": usage.guest_limits.memory_bytes,
        "guest_disk_bytes": usage.guest_limits.disk_bytes,
        "snapshots": usage.snapshots,
    }
    told: dict[str, Any] = {"name": now.project.name, "note": now.project.note}
    for name, most in numbers.items():
        sized = name in _SIZES and most is not None
        told[_SIZES.get(name, name)] = words_of(most or 0) if sized else most
    return told | {
        name: [str(it) for it in each] for name, each in now.scope.told().items()
    }
