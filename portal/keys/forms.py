"""What people type to keep a key."""

from django import forms

from kvmweb.errors import AppError
from portal.keys.services import NAME_MAX, TEXT_MAX


class KeyForm(forms.Form):
    """A public key."""

    text = forms.CharField(
        label="Public key",
        max_length=TEXT_MAX,
        widget=forms.Textarea(
            attrs={"rows": 3, "class": "mono", "spellcheck": "false"}
        ),
        help_text="One line: “ssh-ed25519 AAAA… name”, as in ~/.ssh/id_ed25519.pub.",
    )
    name = forms.CharField(
        max_length=NAME_MAX, required=False, help_text="Empty: its own comment."
    )

    def tell(self, error: AppError) -> None:
        """Put what a service refused beside the field it is about."""
        errors: dict[str, list[str]] = getattr(error, "errors", {})
        for name, sentences in errors.items():
            for sentence in sentences:
                self.add_error(name if name in self.fields else None, sentence)
        if not errors:
            self.add_error(None, str(error))
