"""Forms of pools and volumes. What is wrong in them the services say, in the same words."""

import re
from typing import Any

from django import forms

from hosts.models import Pool, Volume
from hosts.storage.schemas import source_of
from hosts.storage.services import Copy, New
from kvmweb.errors import AppError, Conflict, Invalid
from kvmweb.virt.poolwish import KINDS, PoolWish

_SIZE = re.compile(r"([0-9]{1,16}(?:\.[0-9]{1,3})?)\s*([kmgtp]?)(i?b)?", re.IGNORECASE)
_POWERS = " kmgtp"
_FORMATS = [
    ("qcow2", "qcow2: grows as it is written to, can hold snapshots"),
    ("raw", "raw: plain bytes, a little faster"),
]
_TYPES = {
    "dir": "A directory of the host",
    "fs": "A file system on a device of the host",
    "netfs": "A directory of a server (NFS, CIFS)",
    "logical": "An LVM volume group",
    "disk": "A disk, cut into partitions",
    "iscsi": "An iSCSI target",
    "iscsi-direct": "An iSCSI target, without the host's kernel",
    "rbd": "A Ceph pool (RBD)",
    "gluster": "A Gluster volume",
    "zfs": "A ZFS pool",
}


class SizeField(forms.CharField):
    """An amount of bytes as people write it: "10 GiB", "512M"; a plain number is GiB."""

    def clean(self, value: Any) -> int:
        """The bytes."""
        said: str = super().clean(value)
        match = _SIZE.fullmatch(said.strip())
        if match is None:
            message = "Write a size like 10 GiB or 512 MiB; a plain number is GiB."
            raise forms.ValidationError(message)
        power = _POWERS.index(match[2].lower() or (" " if match[3] else "g"))
        return int(float(match[1]) * 1024**power)


class Told(forms.Form):
    """A form that a service may find fault with."""

    NAMES: dict[str, str] = {}  # the service's word for a field, where it is another
    ADVANCED: tuple[str, ...] = ()  # fields that a page folds away

    def tell(self, error: AppError) -> None:
        """Put what a service refused beside the fields it is about."""
        errors = error.errors if isinstance(error, Invalid | Conflict) else {}
        for name, sentences in errors.items():
            field = self.NAMES.get(name, name)
            for sentence in sentences:
                self.add_error(field if field in self.fields else None, sentence)
        if not errors:
            self.add_error(None, str(error))


class PoolForm(Told):
    """A pool, with its source in one word."""

    name = forms.CharField(max_length=63)
    type = forms.ChoiceField(label="What it is")
    target = forms.CharField(
        max_length=1024,
        required=False,
        label="Directory on the host",
        help_text="Where its volumes are seen: /srv/guests. Empty where the type says it.",
    )
    source = forms.CharField(
        max_length=1024,
        required=False,
        label="Source",
        help_text="nas:/export (server) · /dev/sdb (device) · vg0 (volume group) · "
        "server/iqn.2024-01.org:disks (iSCSI) · pool@mon1,mon2 (Ceph) · tank/guests (ZFS). "
        "Nothing for a directory.",
    )
    autostart = forms.BooleanField(
        required=False, initial=True, label="Start it with the host"
    )

    def __init__(self, offered: list[str], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kinds = [kind for kind in KINDS if not offered or kind in offered]
        field = self.fields["type"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - for the types
        field.choices = [(kind, _TYPES[kind]) for kind in kinds]

    def wish(self) -> PoolWish:
        """What it says; it must be valid."""
        said = self.cleaned_data
        source = source_of(said["type"], said["source"])
        return PoolWish(said["name"], said["type"], said["target"], source)


class VolumeForm(Told):
    """An empty volume."""

    NAMES = {"capacity_bytes": "size"}

    name = forms.CharField(max_length=200, help_text="For example web-data.qcow2.")
    format = forms.ChoiceField(choices=_FORMATS)
    size = SizeField(max_length=30, help_text="For example 20 GiB.", initial="20 GiB")

    def new(self) -> New:
        """What it says; it must be valid."""
        said = self.cleaned_data
        return New(said["name"], said["format"], said["size"])


class GrowForm(Told):
    """A larger size."""

    NAMES = {"capacity_bytes": "size"}

    size = SizeField(max_length=30, label="New size")


class CopyForm(Told):
    """A full copy, in a pool of the same host."""

    name = forms.CharField(max_length=200, label="Name of the copy")
    pool = forms.ModelChoiceField(Pool.objects.none(), empty_label=None)
    format = forms.ChoiceField(choices=_FORMATS)

    def __init__(self, volume: Volume, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        pools = self.fields["pool"]
        assert isinstance(pools, forms.ModelChoiceField)  # noqa: S101 - for the types
        pools.queryset = Pool.objects.filter(host=volume.pool.host, active=True)

    def copy_in(self) -> Copy:
        """What it says; it must be valid."""
        said = self.cleaned_data
        return Copy(said["name"], said["pool"], said["format"])


class FetchForm(Told):
    """Where a file lies."""

    url = forms.CharField(
        max_length=2000, label="Address", help_text="https://… to the image itself."
    )
    sha256 = forms.CharField(
        max_length=64,
        required=False,
        label="SHA-256 checksum",
        help_text="A file with another one is thrown away.",
    )


class NameForm(Told):
    """What cannot be undone asks for the name."""

    name = forms.CharField(max_length=1024, label="Type its name")

    def __init__(self, name: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._name = name

    def clean_name(self) -> str:
        """The name, if it is the right one."""
        name: str = self.cleaned_data["name"]
        if name != self._name:
            message = f"This is not its name: {self._name}."
            raise forms.ValidationError(message)
        return name


class DeleteForm(NameForm):
    """The same, and whether the trash is left out."""

    now = forms.BooleanField(
        required=False, label="Delete it at once, without the trash"
    )
