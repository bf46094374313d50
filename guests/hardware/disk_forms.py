"""Forms of disks and CDs. What is wrong in them the services say, in the same words."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.forms.utils import flatatt
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from guests.creation.wanted import BUSES, CACHES, FORMATS, IO_WAYS, Limits
from guests.hardware import details
from guests.hardware.device_wishes import DiskChange, DiskWish
from guests.hardware.forms import (
    WHEN,
    Choices,
    RemoveForm,
    offer,
    only_while_off,
    words,
)
from guests.hardware.wishes import NOW
from guests.models import Guest
from hosts.models import Volume
from hosts.storage.forms import SizeField, Told
from kvmweb.accounts.models import User
from kvmweb.sizes import amount
from kvmweb.virt.xml.devices import Disk

MIB = 1024**2


class OptionalSize(SizeField):
    """The same, which may be left empty: None."""

    def clean(self, value: Any) -> Any:
        """The bytes, or None."""
        return super().clean(value) if str(value or "").strip() else None


class LongSelect(forms.Select):
    """A list of hundreds, written in one go: Django renders each option by a template."""

    def render(
        self, name: str, value: Any, attrs: Any = None, renderer: Any = None
    ) -> SafeString:
        """The element."""
        chosen = str(value or "")
        options = format_html_join(
            "\n",
            '<option value="{}"{}>{}</option>',
            (
                (key, mark_safe(" selected") if str(key) == chosen else "", words)
                for key, words in self.choices
            ),
        )
        about = self.build_attrs(self.attrs, {**(attrs or {}), "name": name})
        return format_html("<select{}>{}</select>", flatatt(about), options)


class DiskForm(Told):
    """A further disk."""

    NAMES = {"size_bytes": "size"}
    ADVANCED: tuple[str, ...] = (
        "name",
        "format",
        "bus",
        "cache",
        "io",
        "readonly",
        "shareable",
    )

    size = OptionalSize(
        max_length=30, required=False, help_text="Of a new volume, for example 20 GiB."
    )
    pool = forms.ChoiceField(required=False, label="Pool of the new volume")
    volume = forms.ChoiceField(
        required=False,
        widget=LongSelect,
        label="Or a volume that is there",
        help_text="Those that no guest of this host uses.",
    )
    name = forms.CharField(
        max_length=200, required=False, label="Name of the new volume"
    )
    format = forms.ChoiceField(required=False)
    bus = forms.ChoiceField(required=False)
    cache = forms.ChoiceField(required=False)
    io = forms.ChoiceField(required=False, label="I/O")
    readonly = forms.BooleanField(required=False, label="Read-only")
    shareable = forms.BooleanField(
        required=False,
        label="Shared with other guests",
        help_text="Only for file systems that are made for it: else it is destroyed.",
    )
    when = forms.ChoiceField(choices=WHEN, initial=NOW)

    def __init__(self, guest: Guest, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        pools = [
            (str(it.pk), f"{it.name} ({amount(it.available_bytes)} free)")
            for it in details.pools(guest)
        ]
        offer(self, "pool", pools)
        offer(
            self,
            "volume",
            [
                ("", "None: make a new one"),
                *_volume_choices(details.free_volumes(guest, user)),
            ],
        )
        offer(self, "format", words(FORMATS, "As the pool likes"))
        offer(self, "bus", words(BUSES, "Like its other disks"))
        offer(self, "cache", words(CACHES, "As the host likes"))
        offer(self, "io", words(IO_WAYS, "As the host likes"))
        only_while_off(self, guest)

    def wish(self) -> DiskWish:
        """What it says; it must be valid."""
        said = self.cleaned_data
        existing = bool(said["volume"])
        return DiskWish(
            volume=said["volume"],
            size_bytes=said["size"] or 0,
            pool="" if existing else said["pool"],
            format="" if existing else said["format"],
            name="" if existing else said["name"],
            bus=said["bus"],
            cache=said["cache"],
            io=said["io"],
            readonly=said["readonly"],
            shareable=said["shareable"],
        )


class DiskChangeForm(Told):
    """How a disk is to be."""

    NAMES = {"size_bytes": "size"}
    ADVANCED: tuple[str, ...] = (
        "bus",
        "cache",
        "io",
        "discard",
        "total_mib_s",
        "total_iops",
    )

    size = OptionalSize(
        max_length=30,
        required=False,
        help_text="A disk only grows; a running guest sees it at once.",
    )
    bus = forms.ChoiceField(required=False)
    cache = forms.ChoiceField(required=False)
    io = forms.ChoiceField(required=False, label="I/O")
    discard = forms.BooleanField(
        required=False, label="Give back space that the guest frees"
    )
    total_mib_s = forms.IntegerField(
        min_value=0, max_value=2**20, required=False, label="At most MiB a second"
    )
    total_iops = forms.IntegerField(
        min_value=0,
        max_value=2**31,
        required=False,
        label="At most operations a second",
    )

    def __init__(
        self, disk: Disk, capacity_bytes: int | None, *args: Any, **kwargs: Any
    ) -> None:
        limits = disk.iotune
        kwargs["initial"] = {
            "size": amount(capacity_bytes) if capacity_bytes else "",
            "bus": disk.bus,
            "cache": disk.cache,
            "io": disk.io,
            "discard": disk.discard == "unmap",
            "total_mib_s": (limits.total_bytes_s or 0) // MIB if limits else 0,
            "total_iops": limits.total_iops or 0 if limits else 0,
        }
        super().__init__(*args, **kwargs)
        offer(self, "bus", words(dict.fromkeys((*BUSES, disk.bus))))
        offer(self, "cache", words(CACHES, "As the host likes"))
        offer(self, "io", words(IO_WAYS, "As the host likes"))
        self._limits = limits

    def wish(self) -> DiskChange:
        """What was changed; it must be valid."""
        said = {name: self.cleaned_data[name] for name in self.changed_data}
        limits = None
        if {"total_mib_s", "total_iops"} & set(said):
            told = self.cleaned_data
            limits = Limits(
                total_bytes_s=(told["total_mib_s"] or 0) * MIB,
                total_iops=told["total_iops"] or 0,
            )
        return DiskChange(
            size_bytes=said.get("size"),
            bus=said.get("bus"),
            cache=said.get("cache"),
            io=said.get("io"),
            discard=said.get("discard"),
            limits=limits,
        )


class RemoveDiskForm(RemoveForm):
    """Taking a disk out."""

    volume = forms.ChoiceField(
        choices=[
            ("keep", "It stays where it is"),
            ("delete", "It goes into the trash, if nobody else uses it"),
        ],
        initial="keep",
        label="Its volume",
        widget=forms.RadioSelect,
    )
    field_order = ["volume", "when"]


class MediaForm(Told):
    """What is to be in a CD drive."""

    target = forms.ChoiceField(required=False, label="Drive")
    volume = forms.ChoiceField(required=False, widget=LongSelect, label="In it")
    force = forms.BooleanField(
        required=False,
        label="Even if the guest holds the tray shut",
        help_text="What it reads from there then fails.",
    )

    def __init__(self, guest: Guest, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        drives = [it["target"] for it in guest.disks if it["device"] == "cdrom"]
        if len(drives) > 1:
            offer(self, "target", words(drives))
        else:
            del self.fields["target"]
        found = _volume_choices(details.media(guest, user))
        offer(self, "volume", [("", "Nothing"), *found])


def _volume_choices(rows: Iterable[Volume]) -> Choices:
    return [
        (str(it.pk), f"{it.name} ({amount(it.capacity_bytes)}, {it.pool.name})")
        for it in rows
    ]
