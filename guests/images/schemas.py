"""What the API of images takes and answers."""

from typing import Literal

from ninja import Schema
from pydantic import Field, model_validator

from guests.images.models import Image, ImageCopy
from guests.images.services import About
from kvmweb import doors

_NAME = Field(min_length=1, max_length=100)
_VERSION = Field("", max_length=50)
_OS = Field("", max_length=255)
_BYTES = Field(0, ge=0, le=2**53)
_NOTE = Field("", max_length=2000)


class UploadIn(doors.Strict):
    """A file that will be sent: where to, and what it is."""

    pool: int
    format: str = Field(max_length=16)
    name: str = Field("", max_length=200)  # of the volume
    size_bytes: int | None = Field(None, ge=1, le=2**53)  # needed for raw


class ImageSourceIn(doors.Strict):
    """Where its content comes from: one of the two."""

    volume: int | None = None
    upload: UploadIn | None = None

    @model_validator(mode="after")
    def _one(self) -> "ImageSourceIn":
        if (self.volume is None) == (self.upload is None):
            raise ValueError("Name a volume or an upload, not both.")
        return self


class ImageIn(doors.Strict):
    """A new image."""

    name: str = _NAME
    version: str = _VERSION
    os: str = _OS
    cloud_init: bool = False
    min_disk_bytes: int = _BYTES
    note: str = _NOTE
    offered: bool = True
    source: ImageSourceIn

    def about(self) -> About:
        """What it says of the image."""
        return About(**self.model_dump(exclude={"source"}))


class ImagePatch(doors.Strict):
    """What can be changed; what is not said stays as it is."""

    name: str = Field("", max_length=100)
    version: str = _VERSION
    os: str = _OS
    cloud_init: bool = False
    min_disk_bytes: int = _BYTES
    note: str = _NOTE
    offered: bool = True

    def about(self, image: Image) -> About:
        """The image as it is to be."""
        said = self.model_fields_set
        values = {
            name: getattr(self if name in said else image, name)
            for name in About.__slots__
        }
        return About(**values)


class CopyOut(Schema):
    """Where an image's content is."""

    host: int
    host_name: str
    pool: int | None
    pool_name: str
    path: str
    state: ImageCopy.State


class ImageOut(Schema):
    """An image, and which hosts have it."""

    id: int
    name: str
    version: str
    os: str
    cloud_init: bool
    min_disk_bytes: int
    note: str
    offered: bool
    state: Image.State
    problem: str
    operation: str | None
    format: str
    sha256: str
    size_bytes: int
    virtual_size_bytes: int
    author: str
    created_at: str
    copies: list[CopyOut]
    url: str
    page: str


class ImageQuery(doors.PageQuery):
    """Which images are asked for."""

    state: Image.State | None = None


class CopiesQuery(Schema):
    """What happens to a deleted image's copies on hosts."""

    copies: Literal["delete", "keep"] = "keep"
