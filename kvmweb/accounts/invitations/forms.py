"""What people type around letters."""

from django import forms

from kvmweb.accounts.models import Member, Project, Role
from kvmweb.accounts.services import Changes

_NEW = forms.PasswordInput(attrs={"autocomplete": "new-password"})
_HELP = "At least 10 characters; a few words are better than many signs."


class Invite(forms.Form):
    """Whom to invite, and as what."""

    email = forms.EmailField(label="E-mail", max_length=254)
    role = forms.ChoiceField(choices=Role.choices, initial=Role.USER)
    project = forms.ModelChoiceField(
        Project.objects.none(), required=False, empty_label="None"
    )
    project_role = forms.ChoiceField(
        label="There as", choices=Member.Role.choices, initial=Member.Role.OPERATOR
    )

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        field = self.fields["project"]
        field.queryset = Project.objects.all()  # type: ignore[attr-defined]


class Accept(forms.Form):
    """A new person says who they are."""

    username = forms.CharField(
        label="User name",
        max_length=64,
        help_text="Lower-case letters, digits, dots, dashes, @ and underscores.",
        widget=forms.TextInput(
            attrs={
                "autocomplete": "username",
                "spellcheck": "false",
                "autocapitalize": "none",
            }
        ),
    )
    name = forms.CharField(
        label="Your name",
        max_length=150,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    password = forms.CharField(
        strip=False, max_length=1000, help_text=_HELP, widget=_NEW
    )

    def changes(self) -> Changes:
        """What was typed."""
        typed = self.cleaned_data
        return Changes(name=typed["name"], password=typed["password"])


class Forgotten(forms.Form):
    """Where a letter is to go."""

    email = forms.EmailField(
        label="E-mail",
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email", "autofocus": True}),
    )


class NewPassword(forms.Form):
    """A new password, by letter."""

    password = forms.CharField(
        label="New password",
        strip=False,
        max_length=1000,
        help_text=_HELP,
        widget=forms.PasswordInput(
            attrs={"autocomplete": "new-password", "autofocus": True}
        ),
    )
