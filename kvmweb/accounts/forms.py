"""What people type on the pages of accounts."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone

from kvmweb.accounts import access
from kvmweb.accounts.models import Project, Role, Token, User
from kvmweb.accounts.services import Changes
from kvmweb.errors import AppError, Invalid

MOST_LETTERS = 1000  # of a password


class SignIn(forms.Form):
    """The sign-in page."""

    username = forms.CharField(
        label="User name",
        max_length=150,
        widget=forms.TextInput(
            attrs={"autocomplete": "username", "autofocus": True, "spellcheck": "false"}
        ),
    )
    password = forms.CharField(
        strip=False,
        max_length=MOST_LETTERS,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class Password(forms.Form):
    """One's own new password."""

    old = forms.CharField(
        label="Your password now",
        strip=False,
        max_length=MOST_LETTERS,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    password = forms.CharField(
        label="New password",
        help_text="At least 10 characters; a few words are better than many signs.",
        strip=False,
        max_length=MOST_LETTERS,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )


class NewToken(forms.Form):
    """A new API token."""

    DAYS = ((30, "30 days"), (90, "90 days"), (365, "1 year"), (0, "Never"))

    name = forms.CharField(max_length=100, help_text="What it is for.")
    scope = forms.ChoiceField(label="May", choices=Token.Scope.choices)
    project = forms.ModelChoiceField(
        Project.objects.none(),
        label="In",
        required=False,
        empty_label="All that you may",
    )
    days = forms.TypedChoiceField(
        label="Ends after", choices=DAYS, coerce=int, initial=90
    )

    def __init__(self, user: User, data: Any = None) -> None:
        super().__init__(data)
        field = self.fields["project"]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101 - for the type alone
        field.queryset = access.projects(user)

    def expires_at(self) -> datetime | None:
        """When it ends; None: never."""
        days: int = self.cleaned_data["days"]
        return timezone.now() + timedelta(days=days) if days else None


class Person(forms.Form):
    """Somebody, as an administrator sees them; a new one when there is no user."""

    username = forms.CharField(
        label="User name",
        max_length=64,
        help_text="Lower-case letters, digits, dots, dashes, @ and underscores.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    name = forms.CharField(max_length=150, required=False)
    email = forms.EmailField(label="E-mail", max_length=254, required=False)
    role = forms.ChoiceField(choices=Role.choices, initial=Role.USER)
    is_active = forms.BooleanField(label="May sign in", required=False, initial=True)
    password = forms.CharField(
        label="New password",
        required=False,
        strip=False,
        max_length=MOST_LETTERS,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    @classmethod
    def of(cls, user: User, data: object = None) -> "Person":
        """The form of somebody who is there; the user name stays."""
        first = {name: getattr(user, name) for name in cls.base_fields}
        form = cls(data, initial=first | {"password": ""})  # type: ignore[arg-type]
        form.fields["username"].disabled = True
        form.fields["password"].help_text = "Left empty, the password stays."
        return form

    def changes(self) -> Changes:
        """What was typed."""
        typed = self.cleaned_data
        return Changes(
            name=typed["name"],
            email=typed["email"],
            role=typed["role"],
            is_active=typed["is_active"],
            password=typed["password"] or None,
        )


def refuse(form: forms.Form, error: AppError) -> None:
    """Show a service's refusal at the fields it names, else above the form."""
    errors = error.errors if isinstance(error, Invalid) else {}
    if not errors:
        form.add_error(None, str(error))
    for name, sentences in errors.items():
        for sentence in sentences:
            form.add_error(name if name in form.fields else None, sentence)
