"""Forms of images. What is wrong in them is said by the services, in the same words."""

from typing import Any

from django import forms

from guests.creation import osinfo
from guests.images import queries
from guests.images.models import Image
from guests.images.services import FORMATS, About
from hosts.models import Volume
from kvmweb.accounts.models import User
from kvmweb.errors import AppError, Invalid

GIB = 1024**3


class AboutForm(forms.Form):
    """What people say of an image. Fields bear the API's names."""

    name = forms.CharField(max_length=100, help_text="“Debian”, “Our web server”.")
    version = forms.CharField(
        max_length=50,
        required=False,
        help_text="Tells it from others of this name: “12”, “2026-03”.",
    )
    os = forms.ChoiceField(required=False, label="Operating system")
    cloud_init = forms.BooleanField(
        required=False,
        label="It has cloud-init",
        help_text="Then new guests can be given a host name, a user and keys.",
    )
    note = forms.CharField(
        max_length=2000,
        required=False,
        label="What it is for",
        help_text="People who ask for a machine read it in the catalogue.",
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    offered = forms.BooleanField(
        required=False,
        initial=True,
        label="It can be asked for",
        help_text="Else only who makes guests themselves can choose it.",
    )
    min_disk_gib = forms.IntegerField(
        min_value=0,
        max_value=2**20,
        required=False,
        label="Smallest disk in GiB",
        help_text="Empty: as large as the image itself.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["os"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - for the type alone
        field.choices = self._systems()

    def _systems(self) -> list[Any]:
        groups = osinfo.offered()
        named = [
            (name, [(each.id, each.name) for each in found])
            for name, found in groups.items()
        ]
        return [("", "Not said"), *named]

    def about(self) -> About:
        """What it says."""
        said = self.cleaned_data
        return About(
            name=said["name"],
            version=said["version"],
            os=said["os"],
            cloud_init=said["cloud_init"],
            min_disk_bytes=(said["min_disk_gib"] or 0) * GIB,
            note=said["note"],
            offered=said["offered"],
        )

    def tell(self, error: AppError) -> None:
        """What the service refused, at its field where the form has it."""
        told = error.errors if isinstance(error, Invalid) else {}
        for field, sentences in told.items():
            here = {"min_disk_bytes": "min_disk_gib", "source": "volume"}.get(
                field, field
            )
            self.add_error(here if here in self.fields else None, sentences)
        if not told or error.hint:
            self.add_error(None, str(error) if not told else error.hint)


class _VolumeField(forms.ModelChoiceField):  # type: ignore[type-arg]
    """A volume by its name and place."""

    def label_from_instance(self, obj: Volume) -> str:
        """What stands in the list."""
        return f"{obj.name} ({obj.pool.host.name}, {obj.pool.name})"


class FromVolumeForm(AboutForm):
    """A volume that is there becomes an image."""

    volume = _VolumeField(
        queryset=Volume.objects.none(),
        help_text="It stays where it is, and must not change any more.",
    )

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["volume"]
        assert isinstance(field, _VolumeField)  # noqa: S101 - as above
        field.queryset = queries.volumes(user, FORMATS)


class EditForm(AboutForm):
    """The same of an image that is there."""

    def __init__(self, image: Image, *args: Any, **kwargs: Any) -> None:
        initial = {name: getattr(image, name) for name in About.__slots__}
        initial["min_disk_gib"] = -(-image.min_disk_bytes // GIB) or None
        super().__init__(*args, initial=initial, **kwargs)
        field = self.fields["os"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - as above
        known = {each.id for group in osinfo.offered().values() for each in group}
        if image.os and image.os not in known:
            choices: list[Any] = [*self._systems()]
            field.choices = [*choices, (image.os, osinfo.name_of(image.os))]


class DeleteForm(forms.Form):
    """Whether copies on hosts go, too."""

    copies = forms.ChoiceField(
        choices=[
            ("keep", "Keep them: they become plain volumes"),
            ("delete", "Delete them, too"),
        ],
        initial="delete",
        label="Its copies on hosts",
        widget=forms.RadioSelect,
    )
