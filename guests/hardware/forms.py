"""Forms of numbers and network cards. What is wrong in them the services say, in the same words."""

from collections.abc import Iterable, Sequence
from typing import Any

from django import forms

from guests.creation.wanted import NIC_MODELS
from guests.hardware import details
from guests.hardware.device_wishes import NicChange, NicWish
from guests.hardware.parts import boot_order
from guests.hardware.wishes import FIRMWARES, NEXT_START, NOW, Hardware
from guests.models import Guest
from hosts.storage.forms import SizeField, Told
from kvmweb.sizes import amount
from kvmweb.virt.types import DomainState
from kvmweb.virt.xml.devices import Nic
from kvmweb.virt.xml.domain import Domain

WHEN = [
    (NOW, "Now, where the host can; else at its next start"),
    (NEXT_START, "At its next start"),
]
_MODES = [
    ("host-model", "Like its host's, able to move to alike hosts"),
    ("host-passthrough", "Exactly its host's"),
    ("maximum", "All that can be emulated"),
    ("", "QEMU's own, slow and everywhere the same"),
]
Choices = Sequence[tuple[str, str]]


class HardwareForm(Told):
    """What of a guest is one number or one word."""

    NAMES = {"memory_bytes": "memory", "memory_max_bytes": "memory_max"}
    ADVANCED: tuple[str, ...] = (
        "vcpus_max",
        "memory_max",
        "cpu",
        "firmware",
        "boot",
        "boot_menu",
    )

    name = forms.CharField(max_length=63, required=False)
    vcpus = forms.IntegerField(min_value=1, max_value=4096, label="vCPUs")
    memory = SizeField(max_length=30, help_text="For example 4 GiB.")
    vcpus_max = forms.IntegerField(
        min_value=1,
        max_value=4096,
        label="vCPUs at most",
        help_text="Up to so many can be plugged in while it runs.",
    )
    memory_max = SizeField(
        max_length=30,
        label="Memory at most",
        help_text="Up to so much can be given while it runs, by its balloon.",
    )
    cpu = forms.ChoiceField(required=False, label="Processor")
    firmware = forms.ChoiceField(
        choices=[(word, word) for word in FIRMWARES],
        help_text="What is installed in it boots with the one it was installed with.",
    )
    boot = forms.CharField(
        max_length=500,
        required=False,
        label="Boots from",
        help_text="Disks and network cards in order, with spaces between them.",
    )
    boot_menu = forms.BooleanField(required=False, label="Offer a boot menu")
    when = forms.ChoiceField(choices=WHEN, label="When", initial=NOW)

    def __init__(self, guest: Guest, doc: Domain, *args: Any, **kwargs: Any) -> None:
        self._before = _hardware_of(guest, doc)
        kwargs["initial"] = self._before
        super().__init__(*args, **kwargs)
        known = guest.host.capabilities.get("cpu_models", []) if guest.host else []
        models = dict.fromkeys([*known, self._before["cpu"]])
        modes = dict(_MODES)
        named = [(word, word) for word in models if word not in modes]
        offer(self, "cpu", [*_MODES, *named])
        places = [disk.target for disk in doc.disks] + [nic.mac for nic in doc.nics]
        self.fields["boot"].help_text += (
            f" It has {', '.join(places)}." if places else ""
        )
        only_while_off(self, guest)

    def wish(self) -> Hardware:
        """What was changed; it must be valid."""
        said = {name: self.cleaned_data.get(name) for name in self.changed_data}
        told: dict[str, Any] = {
            name: said[name]
            for name in ("name", "vcpus", "vcpus_max", "cpu", "firmware", "boot_menu")
            if name in said
        }
        for name in ("memory", "memory_max"):
            if name in said and said[name] != _bytes(self._before[name]):
                told[f"{name}_bytes"] = said[name]
        if "boot" in said:
            told["boot"] = tuple(str(said["boot"]).replace(",", " ").split())
        return Hardware.of(told)


class NicForm(Told):
    """A further network card."""

    ADVANCED: tuple[str, ...] = (
        "model",
        "mac",
        "filter",
        "inbound_kib_s",
        "outbound_kib_s",
        "link_up",
    )

    network = forms.ChoiceField()
    model = forms.ChoiceField(required=False)
    mac = forms.CharField(
        max_length=17,
        required=False,
        label="MAC address",
        help_text="Empty: a free one.",
    )
    filter = forms.ChoiceField(
        required=False, help_text="Which packets its host lets through."
    )
    inbound_kib_s = forms.IntegerField(
        min_value=0, max_value=2**31 - 1, required=False, label="KiB a second in"
    )
    outbound_kib_s = forms.IntegerField(
        min_value=0, max_value=2**31 - 1, required=False, label="KiB a second out"
    )
    link_up = forms.BooleanField(required=False, initial=True, label="Link up")
    when = forms.ChoiceField(choices=WHEN, initial=NOW)

    def __init__(self, guest: Guest, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _offer_places(self, guest)
        only_while_off(self, guest)

    def wish(self) -> NicWish:
        """What it says; it must be valid."""
        said = self.cleaned_data
        return NicWish(
            network=said["network"],
            model=said["model"],
            mac=said["mac"].strip().lower(),
            link_up=said["link_up"],
            filter=said["filter"],
            inbound_kib_s=said["inbound_kib_s"] or 0,
            outbound_kib_s=said["outbound_kib_s"] or 0,
        )


class NicChangeForm(NicForm):
    """How a network card is to be."""

    ADVANCED: tuple[str, ...] = ("model", "filter", "inbound_kib_s", "outbound_kib_s")

    mac = None  # type: ignore[assignment]  # Django's way to leave a field out

    def __init__(self, guest: Guest, nic: Nic, *args: Any, **kwargs: Any) -> None:
        here = nic.network or nic.bridge or nic.dev
        kwargs["initial"] = {
            "network": here,
            "model": nic.model,
            "filter": nic.filterref.filter if nic.filterref else "",
            "inbound_kib_s": (nic.inbound.average if nic.inbound else 0) or 0,
            "outbound_kib_s": (nic.outbound.average if nic.outbound else 0) or 0,
            "link_up": nic.link != "down",
            "when": NOW,
        }
        super().__init__(guest, *args, **kwargs)
        offer(self, "network", also(self, "network", here))
        offer(self, "model", also(self, "model", nic.model))

    def change(self) -> NicChange:
        """What was changed; it must be valid."""
        names = set(self.changed_data) - {"when"}
        said = {name: self.cleaned_data[name] for name in names}
        for name in ("inbound_kib_s", "outbound_kib_s"):
            if name in said:
                said[name] = said[name] or 0
        return NicChange(**said)


class RemoveForm(Told):
    """Taking something out."""

    when = forms.ChoiceField(choices=WHEN, initial=NOW)

    def __init__(self, guest: Guest, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        only_while_off(self, guest)


def _hardware_of(guest: Guest, doc: Domain) -> dict[str, Any]:
    most = doc.vcpus or 1
    return {
        "name": guest.name,
        "vcpus": doc.vcpus_current or most,
        "vcpus_max": most,
        "memory": amount(doc.current_memory or doc.memory or 0),
        "memory_max": amount(doc.memory or 0),
        "cpu": details.cpu_of(doc),
        "firmware": guest.firmware or "bios",
        "boot": " ".join(name for name in boot_order(doc)),
        "boot_menu": bool(doc.os and doc.os.boot_menu),
        "when": NOW,
    }


def _bytes(text: str) -> int:
    return int(SizeField().clean(text))


def only_while_off(form: forms.Form, guest: Guest) -> None:
    """A guest that is off is asked no “when”; one that runs keeps its name."""
    if guest.state in {DomainState.SHUTOFF, DomainState.CRASHED}:
        form.fields["when"].required = False
        form.fields["when"].widget = forms.HiddenInput()
    elif "name" in form.fields and isinstance(form, HardwareForm):
        del form.fields["name"]


def _offer_places(form: forms.Form, guest: Guest) -> None:
    networks = [
        (it.name, f"{it.name} ({it.mode})" if it.mode else it.name)
        for it in details.networks(guest)
    ]
    offer(form, "network", networks)
    offer(form, "model", words(NIC_MODELS))
    offer(form, "filter", words(details.filters(guest), "None"))


def offer(form: forms.Form, name: str, choices: Choices) -> None:
    """Let people choose one of these in a field."""
    field = form.fields[name]
    assert isinstance(field, forms.ChoiceField)  # noqa: S101 - for the types
    field.choices = list(choices)


def also(form: forms.Form, name: str, word: str) -> Choices:
    """The choices of a field, with what is now if it is none of them."""
    field = form.fields[name]
    assert isinstance(field, forms.ChoiceField)  # noqa: S101 - for the types
    choices: Any = field.choices
    there: list[tuple[str, str]] = list(choices)
    known = {value for value, _ in there}
    return there if word in known else [(word, word or "as it is"), *there]


def words(said: Iterable[str], empty: str = "") -> Choices:
    """Words as choices; `empty` is what none of them means."""
    found = [(word, word) for word in said]
    return [("", empty), *found] if empty else found
