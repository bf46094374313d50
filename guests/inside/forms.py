"""What people type to set something inside a guest."""

from django import forms

from kvmweb.errors import AppError, Invalid


class _Told(forms.Form):
    """A form that a service may find fault with."""

    user = forms.CharField(
        max_length=64, help_text="A user of the guest, not of kvmweb."
    )

    def tell(self, error: AppError) -> None:
        """Put what a service refused beside the fields it is about."""
        errors = error.errors if isinstance(error, Invalid) else {}
        for name, sentences in errors.items():
            for sentence in sentences:
                self.add_error(name if name in self.fields else None, sentence)
        if not errors:
            self.add_error(None, str(error))


class PasswordForm(_Told):
    """A new password; it never comes back to the page."""

    password = forms.CharField(
        max_length=256,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        label="New password",
        help_text="Handed to the guest's agent and kept nowhere.",
    )


class KeysForm(_Told):
    """Public keys."""

    ssh_keys = forms.CharField(
        max_length=100_000,
        widget=forms.Textarea(attrs={"rows": 4, "class": "mono"}),
        label="Public ssh keys",
        help_text="One a line: “ssh-ed25519 AAAA… name”. Keys that are there stay.",
    )
