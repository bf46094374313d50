"""What people type and tick on the pages of notices and webhooks."""

from typing import Any

from django import forms
from django.http import QueryDict

from kvmweb.accounts.models import User
from portal.telling import access
from portal.telling.events import EVENTS, Way, groups
from portal.telling.models import Webhook
from portal.telling.services import Wishes
from portal.telling.webhooks import Wish

_EVENTS = [
    (name, [(event.word, event.label) for event in events])
    for name, events in groups().items()
]


class WebhookForm(forms.Form):
    """A new webhook, or one that is there; its address is never shown again."""

    url = forms.CharField(
        label="Address",
        max_length=2000,
        help_text="Begins with https:// or http://. It gets a POST with JSON, signed.",
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "spellcheck": "false", "inputmode": "url"}
        ),
    )
    name = forms.CharField(
        max_length=100, required=False, help_text="How it is called here."
    )
    events = forms.MultipleChoiceField(
        choices=_EVENTS,
        required=False,
        label="Only for",
        help_text="Nothing chosen: for everything.",
        widget=forms.SelectMultiple(attrs={"size": 8}),
    )
    for_all = forms.BooleanField(
        required=False, label="For whatever happens to anybody, not only to me"
    )
    active = forms.BooleanField(required=False, label="It is called")

    def __init__(
        self, user: User, hook: Webhook | None = None, data: Any = None
    ) -> None:
        """Of this webhook, for what this person may say of it."""
        names = ("name", "events", "active") if hook else ()
        super().__init__(data, initial={name: getattr(hook, name) for name in names})
        del self.fields["for_all" if hook else "active"]
        if hook is not None:
            self.fields["url"].required = False
            self.fields["url"].help_text = "Left empty, it stays as it is."
        elif not access.may_for_all(user):
            del self.fields["for_all"]

    def wish(self) -> Wish:
        """What was typed; the form must be valid."""
        typed = self.cleaned_data
        url = typed["url"] or None
        return Wish(typed["name"], url, typed["events"], typed.get("active"))


def wishes_of(ticked: QueryDict) -> Wishes:
    """All boxes of the page of choices: those that are not sent are not ticked."""
    return {
        (word, way): f"{word} {way}" in ticked.getlist("tell")
        for word in EVENTS
        for way in Way
    }
