"""What people type of their second factor."""

from django import forms

_CODE = {
    "autocomplete": "one-time-code",
    "inputmode": "text",
    "spellcheck": "false",
    "autocapitalize": "none",
}


class Code(forms.Form):
    """The second step of signing in."""

    code = forms.CharField(
        max_length=40,
        help_text="The six digits that your app shows now, or one of your "
        "recovery codes.",
        widget=forms.TextInput(attrs={**_CODE, "autofocus": True}),
    )


class NewApp(forms.Form):
    """An app proves that it has the secret."""

    sealed = forms.CharField(max_length=1000, widget=forms.HiddenInput)
    code = forms.CharField(
        label="Code",
        max_length=10,
        help_text="The six digits that the app shows now.",
        widget=forms.TextInput(attrs={**_CODE, "inputmode": "numeric"}),
    )


class Confirm(forms.Form):
    """One's password, once more."""

    password = forms.CharField(
        label="Your password",
        strip=False,
        max_length=1000,
        widget=forms.PasswordInput(
            attrs={"autocomplete": "current-password", "autofocus": True}
        ),
    )


class NewPasskey(forms.Form):
    """A new passkey; the browser fills in what it made."""

    name = forms.CharField(
        max_length=100, help_text="What you call it: “laptop”, “blue stick”."
    )
    credential = forms.CharField(max_length=100_000, widget=forms.HiddenInput)


class UsedPasskey(forms.Form):
    """What the browser's key answered."""

    credential = forms.CharField(max_length=100_000)
