"""What people type on the pages of requests."""

from typing import Any

from django import forms

from guests.creation.fields import OneOf, SizeField
from guests.creation.wanted import VCPUS_MAX
from guests.images.seed import CloudInit
from hosts.forms import SecretInput
from kvmweb.accounts.models import Project
from kvmweb.errors import AppError, Invalid
from kvmweb.sizes import amount
from portal.requests import asking
from portal.requests.asking import LEASE_MAX, NOTE_MAX, REASON_MAX, Wish
from portal.requests.deciding import Smaller
from portal.requests.models import ApprovalRule, Request
from portal.requests.offers import Offers
from portal.requests.rules import RuleWish
from portal.requests.states import Kind

KINDS = {
    Kind.NEW: "New machines",
    Kind.RESIZE: "Other sizes",
    Kind.EXTEND: "More time",
}
LEASE_USUAL = 30


class _Told(forms.Form):
    """A form that a service may find fault with."""

    _elsewhere: dict[str, str] = {}  # the API's name of a part, and the field's

    def tell(self, error: AppError) -> None:
        """Put what a service refused beside the fields it is about."""
        errors: dict[str, list[str]] = getattr(error, "errors", {})
        for part, sentences in errors.items():
            name = self._elsewhere.get(part, part)
            for sentence in sentences:
                self.add_error(name if name in self.fields else None, sentence)
        if not errors:
            self.add_error(None, str(error))


class RequestForm(_Told):
    """A machine to ask for."""

    _elsewhere = {
        "cloud_init.ssh_keys": "key",
        "cloud_init.user": "login",
        "cloud_init.password": "password",
        "cloud_init.user_data": "user_data",
    }

    reason = forms.CharField(
        label="What is it for?",
        max_length=REASON_MAX,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Who decides reads this first.",
    )
    flavor = forms.ChoiceField(label="Size", widget=forms.RadioSelect)
    image = OneOf(label="Image", help_text="Empty: a blank disk.")
    name = forms.CharField(
        max_length=63,
        help_text="Small letters, digits, dots and dashes.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    network = OneOf(label="Network")
    key = OneOf(label="SSH key", help_text="Who has it signs in without a password.")
    login = forms.CharField(
        label="User name in it",
        max_length=32,
        required=False,
        help_text="Empty: the image's own user.",
    )
    password = forms.CharField(max_length=256, required=False, widget=SecretInput)
    user_data = forms.CharField(
        label="Own user-data",
        max_length=2**17,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="YAML that begins with #cloud-config.",
    )
    lease_days = forms.IntegerField(
        label="For how many days?",
        min_value=1,
        max_value=LEASE_MAX,
        initial=LEASE_USUAL,
        help_text="You are reminded before its end, and can ask for more.",
    )
    note = forms.CharField(
        label="Note for who decides",
        max_length=NOTE_MAX,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def __init__(self, offered: Offers, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offered = offered
        flavor: Any = self.fields["flavor"]
        flavor.choices = [(str(it.pk), it.name) for it in offered.flavors]
        for name, groups, empty in (
            ("image", offered.images, "None: a blank disk"),
            ("network", offered.networks, "None"),
            ("key", offered.keys, "None"),
        ):
            field: Any = self.fields[name]
            field.offer(groups, empty)

    @property
    def cards(self) -> list[tuple[Any, Any]]:
        """Each size as a radio button, with its flavor."""
        return list(zip(self["flavor"], self.offered.flavors, strict=True))

    @property
    def named_errors(self) -> list[tuple[str, list[str]]]:
        """What is wrong, by the labels people see."""
        found = []
        for name, sentences in self.errors.items():
            label = self.fields[name].label if name in self.fields else ""
            found.append(
                (str(label or name.capitalize()), [str(it) for it in sentences])
            )
        return found

    def wish(self, before: CloudInit | None = None) -> Wish:
        """What was typed; the form must be valid. Who it was to be stays where empty."""
        told = self.cleaned_data
        return Wish(
            name=told["name"],
            flavor=int(told["flavor"]),
            lease_days=told["lease_days"],
            reason=told["reason"],
            note=told["note"],
            image=int(told["image"]) if told["image"] else "",
            network=told["network"],
            cloud=self._cloud(before),
        )

    def _cloud(self, before: CloudInit | None) -> CloudInit | None:
        told = self.cleaned_data
        key = self.offered.key_texts.get(told["key"], "")
        if not (key or told["login"] or told["password"] or told["user_data"].strip()):
            return before
        return CloudInit(
            hostname="",
            user=told["login"],
            password=told["password"],
            ssh_keys=(key,) if key else before.ssh_keys if before else (),
            user_data=told["user_data"],
        )


def beginning(
    offered: Offers, asked: dict[str, str], request: Request | None = None
) -> dict[str, Any]:
    """What the form begins with: the request that is changed, else what is usual."""
    if request is not None:
        return {
            "reason": request.reason,
            "note": request.note,
            "flavor": str(request.flavor_id or ""),
            "image": str(request.image_id or ""),
            "name": request.name,
            "network": request.network,
            "login": request.login,
            "lease_days": request.lease_days,
        }
    flavors = [str(it.pk) for it in offered.flavors]
    known = {name: asked[name] for name in ("name", "image", "flavor") if name in asked}
    networks = [word for _, options in offered.networks for word, _ in options]
    return {
        "flavor": flavors[0] if flavors else "",
        "network": networks[0] if networks else "",
        "key": next(iter(offered.key_texts), ""),
        "lease_days": LEASE_USUAL,
    } | known


class DecisionForm(_Told):
    """A decision: a note, and what is given instead of what was asked for."""

    note = forms.CharField(
        max_length=NOTE_MAX,
        required=False,
        label="Note",
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Who asked reads it.",
    )
    vcpus = forms.IntegerField(
        label="vCPUs", required=False, min_value=1, max_value=VCPUS_MAX
    )
    memory_bytes = SizeField(label="Memory")
    disk_bytes = SizeField(label="Disk")
    lease_days = forms.IntegerField(
        label="Days", required=False, min_value=1, max_value=LEASE_MAX
    )

    def __init__(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._request = request
        for name in self._numbers():
            value = getattr(request, name)
            shown = amount(value) if name.endswith("_bytes") else value
            self.fields[name].widget.attrs["placeholder"] = str(shown)
        for name in {"vcpus", "memory_bytes", "disk_bytes", "lease_days"} - set(
            self._numbers()
        ):
            del self.fields[name]

    def _numbers(self) -> tuple[str, ...]:
        if self._request.kind == Kind.EXTEND:
            return ("lease_days",)
        if self._request.kind == Kind.RESIZE:
            disk = ("disk_bytes",) if self._request.disk_bytes else ()
            return ("vcpus", "memory_bytes", *disk)
        return ("vcpus", "memory_bytes", "disk_bytes", "lease_days")

    def smaller(self) -> Smaller:
        """What is given instead; the form must be valid."""
        return Smaller(**{name: self.cleaned_data[name] for name in self._numbers()})


class RuleForm(_Told):
    """When nobody is asked."""

    name = forms.CharField(max_length=100)
    by_itself = forms.BooleanField(
        required=False,
        initial=True,
        label="Approve by itself",
        help_text="Else approvers may approve their own requests that fit.",
    )
    enabled = forms.BooleanField(required=False, initial=True, label="In force")
    project = OneOf(label="Project")
    kinds = forms.MultipleChoiceField(
        choices=[(kind.value, words) for kind, words in KINDS.items()],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="What is asked for",
        help_text="None: whatever is asked for.",
    )
    flavors = forms.MultipleChoiceField(
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="Sizes",
        help_text="None: any size.",
    )
    vcpus = forms.IntegerField(label="vCPUs at most", required=False, min_value=1)
    memory_bytes = SizeField(label="Memory at most", least=1)
    disk_bytes = SizeField(label="Disk at most", least=1)
    lease_days = forms.IntegerField(
        label="Days at most", required=False, min_value=1, max_value=LEASE_MAX
    )

    def __init__(
        self,
        projects: list[Project],
        flavors: list[tuple[str, str]],
        data: Any,
        rule: ApprovalRule | None = None,
    ) -> None:
        super().__init__(data, initial=_said(rule) if rule else None)
        self._projects = {str(it.pk): it for it in projects}
        project: Any = self.fields["project"]
        options = [(str(it.pk), it.name) for it in projects]
        project.offer([("", options)] if options else [], "Every project")
        sizes: Any = self.fields["flavors"]
        sizes.choices = flavors

    def wish(self) -> RuleWish:
        """The rule; the form must be valid. Raises Invalid for a project that is gone."""
        told = dict(self.cleaned_data)
        word = told.pop("project")
        if word and word not in self._projects:
            raise Invalid(
                "Not there.", errors={"project": ["There is no such project."]}
            )
        kinds, flavors = told.pop("kinds"), told.pop("flavors")
        return RuleWish(
            project=self._projects.get(word),
            kinds=tuple(kinds),
            flavors=tuple(int(it) for it in flavors),
            **told,
        )


def _said(rule: ApprovalRule) -> dict[str, Any]:
    """A rule as the form shows it."""
    names = ("name", "by_itself", "enabled", "kinds", "vcpus", "lease_days")
    sizes = ("memory_bytes", "disk_bytes")
    return {
        **{name: getattr(rule, name) for name in names},
        **{it: amount(getattr(rule, it)) if getattr(rule, it) else "" for it in sizes},
        "project": str(rule.project_id or ""),
        "flavors": [str(flavor.pk) for flavor in rule.flavors.all()],
    }


def ids_of(values: list[str]) -> list[int]:
    """Ticked requests; what is no number is passed over."""
    found = [int(it) for it in values if it.isascii() and it.isdecimal()]
    return [it for it in dict.fromkeys(found) if it < 2**63][:500]


def cloud_before(request: Request) -> CloudInit | None:
    """Who its machine was to be, to be kept where nothing else is typed."""
    return asking.cloud_of(request)
