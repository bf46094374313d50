"""What people type on the pages of guests."""

from typing import Any

from django import forms

from guests.edits import DESCRIPTION_MAX, TITLE_MAX, Edit
from guests.models import Guest
from kvmweb.accounts.gate import Right, may
from kvmweb.accounts.models import Project, User


class EditForm(forms.Form):
    """What people say of a guest."""

    title = forms.CharField(
        required=False, max_length=TITLE_MAX, help_text="One line beside its name."
    )
    description = forms.CharField(
        required=False,
        max_length=DESCRIPTION_MAX,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="Title and description are kept by its host.",
    )
    tags = forms.CharField(
        required=False,
        max_length=2000,
        help_text="Words with spaces between them, to search and filter by.",
    )
    protected = forms.BooleanField(
        required=False, label="Protected", help_text="It cannot be deleted."
    )
    owner = forms.ModelChoiceField(
        queryset=User.objects.filter(is_active=True),
        required=False,
        to_field_name="username",
        empty_label="Nobody",
        help_text="May see, operate and edit it.",
    )

    project = forms.ModelChoiceField(
        queryset=Project.objects.all(),
        required=False,
        to_field_name="name",
        empty_label="None",
        help_text="Its members have their rights on it, and it counts there.",
    )

    def __init__(self, guest: Guest, user: User, *args: Any, **kwargs: Any) -> None:
        kwargs["initial"] = {
            "title": guest.title,
            "description": guest.description,
            "tags": " ".join(guest.tags),
            "protected": guest.protected,
            "owner": guest.owner.username if guest.owner else None,
            "project": guest.project.name if guest.project else None,
        }
        super().__init__(*args, **kwargs)
        if not may(user, Right.MANAGE_USERS):
            del self.fields["owner"]
        if not may(user, Right.MANAGE_PROJECTS):
            del self.fields["project"]

    def edit(self) -> Edit:
        """The change, once the form is valid."""
        told = self.cleaned_data
        owner = project = None
        if "owner" in self.fields:
            owner = told["owner"].username if told["owner"] else ""
        if "project" in self.fields:
            project = told["project"].name if told["project"] else ""
        return Edit(
            title=told["title"],
            # Browsers send \r\n, libvirt keeps \n.
            description=told["description"].replace("\r\n", "\n"),
            tags=tuple(told["tags"].replace(",", " ").split()),
            protected=told["protected"],
            owner=owner,
            project=project,
        )


class DeleteForm(forms.Form):
    """Saying that a guest is to go, and what becomes of its volumes."""

    volumes = forms.ChoiceField(
        choices=[
            ("keep", "Keep its volumes"),
            ("delete", "Delete its volumes, as the table says"),
        ],
        widget=forms.RadioSelect,
        initial="keep",
        required=False,
    )
    name = forms.CharField(
        label="Its name",
        max_length=255,
        strip=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def __init__(self, guest: Guest, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._guest = guest
        self.fields["name"].help_text = f"Type “{guest.name}” to delete it."

    def clean_name(self) -> str:
        """The guest's name, typed as it is."""
        name: str = self.cleaned_data["name"]
        # A browser's text field holds neither line breaks nor a stray blank at its end.
        if name.split() != self._guest.name.split():
            raise forms.ValidationError("This is not its name.")
        return name
