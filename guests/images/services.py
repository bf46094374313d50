"""What a person can ask of images: decide, write down an operation, return at once."""

import re
from dataclasses import dataclass, replace
from typing import Any

from django.db import IntegrityError, transaction

from guests.creation import osinfo
from guests.images.copying import ensure
from guests.images.models import Image, ImageCopy
from hosts.access import need_up
from hosts.models import Host, Pool, Volume
from hosts.storage import guarding, holdings
from hosts.storage import services as storage
from hosts.storage.claims import claim
from hosts.storage.places import path_of
from hosts.storage.sharing import Sharing
from kvmweb.accounts import audit
from kvmweb.accounts.models import User
from kvmweb.errors import Conflict, Invalid
from kvmweb.operations.models import Operation
from kvmweb.operations.services import submit

__all__ = [
    "add",
    "add_upload",
    "delete",
    "edit",
    "ensure",
    "register",
    "upload",
    "uploaded",
]

FORMATS = ("qcow2", "raw", "vmdk")
LARGEST_BYTES = 2**53
_FIRST_BYTES = 1 << 20  # of a volume whose file grows as it is written
_NAME = re.compile(r"[^\0-\x1f\x7f]{1,100}")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._+-]{0,49}|")
_OVA = (
    "An OVA is a tar archive with a VMDK in it: unpack it (tar xf) and upload that "
    "VMDK. The page of images does this by itself."
)
State = Image.State


@dataclass(frozen=True, slots=True)
class About:
    """What people say of an image."""

    name: str
    version: str = ""
    os: str = ""  # an osinfo id
    cloud_init: bool = False
    min_disk_bytes: int = 0
    note: str = ""  # what it is for
    offered: bool = True  # to people who ask for guests


@dataclass(frozen=True, slots=True)
class Upload:
    """Where an image's content will be uploaded to, and as what."""

    pool: Pool
    format: str
    name: str = ""  # of the volume
    size_bytes: int | None = None  # of the file; needed for raw


def add(about: About, volume: Volume, *, by: User, address: str = "") -> Operation:
    """Make a volume that is there an image; it is read and checked, and stays there.

    Raises Invalid, and Conflict when it is not ready, anybody uses it, or the name and
    version are another image's.
    """
    about = _checked(about)
    need_up(volume.pool.host)
    holdings.need_ready(volume)
    told = holdings.format_of(volume)
    if told not in FORMATS:
        sentence = f"The volume {volume.name} is of the format {told}."
        hint = f"Images are made of {', '.join(FORMATS)}."
        if told == "iso":
            hint = "A CD is chosen as the CD of a new guest."
        raise Invalid(sentence, errors={"source": [sentence]}, hint=hint)
    sharing = Sharing(volume.pool.host, [volume.path])
    guarding.need_free(sharing, [volume.path], f"make {volume.name} an image")
    with transaction.atomic():
        image = _created(about, State.BUILDING, by)
        _copy(image, volume.pool, volume.path, ours=False)
        return _register(image, volume.pool, volume.path, told, by, address)


def add_upload(
    about: About, wanted: Upload, *, by: User, address: str = ""
) -> tuple[Image, Operation]:
    """An image that waits for its content, and what makes the volume for that.

    When that operation has ended its content is PUT to the volume, then `register`.
    Raises Invalid and Conflict like `add`.
    """
    about = _checked(about)
    _check_upload(wanted)
    with transaction.atomic():
        image = _created(about, State.AWAITING, by)
        name = wanted.name or f"image-upload-{image.pk}.{wanted.format}"
        capacity = wanted.size_bytes if wanted.format == "raw" else _FIRST_BYTES
        new = storage.New(name, wanted.format, capacity or _FIRST_BYTES)
        operation = storage.create(wanted.pool, new, by=by, address=address)
        _tell(operation, image)
        image.operation, image.format = operation.pk, wanted.format
        image.save(update_fields=["operation", "format"])
        _copy(image, wanted.pool, path_of(wanted.pool, name), ours=True)
        _record("image.add", image, by, address, {"upload": name})
    return image, operation


def upload(
    image: Image, *, length_bytes: int | None = None, by: User, address: str = ""
) -> Operation:
    """Take the content that is about to be sent. Raises Conflict like `register`."""
    volume = _volume_of(image)
    operation = storage.upload(
        volume, length_bytes=length_bytes, by=by, address=address
    )
    _tell(operation, image)
    return operation


def register(image: Image, *, by: User | None, address: str = "") -> Operation:
    """Have what was uploaded read, checked and, where needed, converted.

    Raises Conflict when it waits for no content, or nothing has come yet.
    """
    with transaction.atomic():
        row = Image.objects.select_for_update().get(pk=image.pk)
        volume = _volume_of(row)
        if _upload_of(row) is None:
            raise Conflict(f"Nothing was uploaded for {row} yet.")
        return _register(row, volume.pool, volume.path, row.format, by, address)


def uploaded() -> list[Operation]:
    """Register the images whose content has come since; asked for every few seconds."""
    begun = []
    for image in Image.objects.filter(state=State.AWAITING).order_by("pk")[:100]:
        sent = _upload_of(image)
        if sent is None:
            continue
        try:
            by, address = sent.requested_by, sent.address
            begun.append(register(image, by=by, address=address))
        except Conflict:
            continue  # its host is away, or its row has not come: next time
    return begun


def edit(image: Image, about: About, *, by: User, address: str = "") -> Image:
    """Say something else of it. Raises Invalid, Conflict when the name is taken."""
    about = _checked(about)
    values = {name: getattr(about, name) for name in About.__slots__}
    new = {name: to for name, to in values.items() if getattr(image, name) != to}
    for name, to in new.items():
        setattr(image, name, to)
    if new:
        with transaction.atomic():
            _saved(image, list(new))
            _record("image.edit", image, by, address, {"fields": sorted(new)})
    return image


def delete(
    image: Image, *, copies: bool, by: User, address: str = ""
) -> Operation | None:
    """Forget it; with `copies`, delete those on hosts that were made for it, too.

    None: there was nothing to delete on any host. Raises Conflict when a guest's disk
    stands on a copy that is to be deleted, or an operation needs it.
    """
    with transaction.atomic():
        row = Image.objects.select_for_update().get(pk=image.pk)
        _need_idle(row)
        ours = [each for each in row.copies.select_related("host") if each.ours]
        if not (copies and ours):
            _record("image.delete", row, by, address, {"copies": "keep"})
            row.delete()
            return None
        operation = submit(
            "image.delete",
            by=by,
            guest_name=str(row),
            params={"image": row.pk},
            address=address,
        )
        row.state, row.operation = State.DELETING, operation.pk
        row.save(update_fields=["state", "operation"])
        for copy in ours:
            _need_unused(row, copy)
            claim(operation, copy.host, [copy.path], destroys=True)
    return operation


def _need_unused(image: Image, copy: ImageCopy) -> None:
    """Nothing. Raises Conflict when rows know of anything that stands on the copy."""
    sharing = Sharing(copy.host, [copy.path])
    guarding.need_free(sharing, [copy.path], f"delete the copies of {image}")


def _need_idle(image: Image) -> None:
    if image.state not in {State.BUILDING, State.AWAITING, State.DELETING}:
        return
    rows = Operation.objects.filter(pk__in=[image.operation])
    if busy := rows.filter(state__in=Operation.ACTIVE).first():
        raise Conflict(
            f"The image {image} is {image.state}.",
            hint="Wait for its end, or cancel it.",
            operation=str(busy.pk),
        )


def _volume_of(image: Image) -> Volume:
    """The ready volume that waits for its content. Raises Conflict."""
    copy = image.copies.select_related("host").first()
    if image.state != State.AWAITING or copy is None:
        raise Conflict(f"The image {image} waits for no content.")
    need_up(copy.host)
    rows = Volume.objects.select_related("pool__host").filter(path=copy.path)
    volume = rows.filter(pool=copy.pool_id).first()
    if volume is None:
        raise Conflict(
            f"The volume for {image} is not there yet.", hint="Try again in a moment."
        )
    holdings.need_ready(volume)
    return volume


def _upload_of(image: Image) -> Operation | None:
    """The upload into its volume that has ended well."""
    copy = image.copies.first()
    if copy is None:
        return None
    rows = Operation.objects.filter(
        kind="volume.upload",
        state=Operation.State.SUCCEEDED,
        host=copy.host_id,
        created_at__gte=image.created_at,
    )
    return rows.filter(params__path=copy.path).first()


def _checked(about: About) -> About:
    """The same, its system by its full id. Raises Invalid naming each fault."""
    about = replace(
        about,
        name=about.name.strip(),
        version=about.version.strip(),
        os=about.os.strip(),
    )
    errors: dict[str, list[str]] = {}
    if not _NAME.fullmatch(about.name):
        errors["name"] = ["A name is one line of up to 100 characters."]
    if not _VERSION.fullmatch(about.version):
        errors["version"] = ["Use up to 50 letters, digits, dots and dashes."]
    try:
        about = replace(about, os=osinfo.full_id(about.os))
    except Invalid as error:
        errors["os"] = [error.detail]
    if not 0 <= about.min_disk_bytes <= LARGEST_BYTES:
        errors["min_disk_bytes"] = [f"Give from 0 to {LARGEST_BYTES} bytes."]
    if errors:
        raise Invalid(" ".join(each[0] for each in errors.values()), errors=errors)
    return about


def _check_upload(wanted: Upload) -> None:
    errors: dict[str, list[str]] = {}
    if wanted.format == "ova":
        errors["format"] = [_OVA]
    elif wanted.format not in FORMATS:
        errors["format"] = [f"Upload one of {', '.join(FORMATS)}."]
    if wanted.format == "raw" and not wanted.size_bytes:
        errors["size_bytes"] = ["Say how many bytes the raw file has."]
    if wanted.size_bytes and not 0 < wanted.size_bytes <= LARGEST_BYTES:
        errors["size_bytes"] = [f"Give from 1 to {LARGEST_BYTES} bytes."]
    if errors:
        raise Invalid(" ".join(each[0] for each in errors.values()), errors=errors)


def _created(about: About, state: Image.State, by: User) -> Image:
    values = {name: getattr(about, name) for name in About.__slots__}
    return _saved(Image(state=state, author=by.username, **values))


def _saved(image: Image, fields: list[str] | None = None) -> Image:
    try:
        with transaction.atomic():
            image.save(update_fields=fields)
    except IntegrityError as error:
        sentence = f"There is an image {image} already."
        hint = "Give it another name or version."
        raise Conflict(sentence, hint=hint) from error
    return image


def _copy(image: Image, pool: Pool, path: str, *, ours: bool) -> ImageCopy:
    return ImageCopy.objects.create(
        image=image,
        host=pool.host,
        pool=pool,
        path=path,
        state=ImageCopy.State.BUILDING,
        ours=ours,
    )


def _register(
    image: Image, pool: Pool, path: str, told: str, by: User | None, address: str
) -> Operation:
    """Read it in the background; nobody changes it meanwhile."""
    host: Host = pool.host
    params: dict[str, Any] = {
        "image": image.pk,
        "pool_uuid": str(pool.uuid),
        "path": path,
        "format": told,
    }
    operation = submit(
        "image.register",
        by=by,
        guest_name=str(image),
        host=host.pk,
        host_name=host.name,
        params=params,
        address=address,
        expires_s=None,
    )
    _tell(operation, image)
    image.state, image.operation = State.BUILDING, operation.pk
    image.save(update_fields=["state", "operation"])
    ImageCopy.objects.filter(image=image, host=host).update(operation=operation.pk)
    claim(operation, host, [path], destroys=True)
    return operation


def _tell(operation: Operation, image: Image) -> None:
    """Have the operation say from the beginning which image it is about."""
    operation.result = operation.result | {"image": image.pk}
    Operation.objects.filter(pk=operation.pk).update(result=operation.result)


def _record(
    action: str, image: Image, by: User, address: str, details: dict[str, Any]
) -> None:
    audit.record(
        action,
        actor=by,
        target=image.topic,
        outcome="succeeded",
        address=address,
        details={"name": str(image), **details},
    )
