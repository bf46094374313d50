"""What the words of a wish mean: rows for hosts, pools, volumes and networks.

Each is given by its id, or by name where a name says which. What is named by id is on
one host, so that is where the guest goes.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from django.db.models import Model, QuerySet

from guests.creation.wanted import Errors, Wanted, WantedDisk
from guests.edits import project_of
from guests.images.models import Image
from hosts import access
from hosts.models import Host, HostDevice, Network, Pool, Volume
from hosts.storage import holdings
from kvmweb.accounts.models import Project, User
from kvmweb.errors import Conflict, Invalid

M = TypeVar("M", bound=Model)


@dataclass(slots=True)
class Meaning:
    """The rows that a wish is about."""

    host: Host | None = None
    pools: list[str] = field(default_factory=list)  # of each disk: a name, "" for any
    volumes: list[Volume | None] = field(default_factory=list)  # of each disk
    images: list[Image | None] = field(default_factory=list)  # of each disk
    cdroms: list[Volume] = field(default_factory=list)
    networks: list[str] = field(default_factory=list)  # of each card
    devices: list[HostDevice] = field(default_factory=list)
    project: Project | None = None
    only: set[int] | None = None  # hosts it can be on
    because: str = ""

    def pin(self, hosts: Iterable[int], because: str) -> None:
        """It can be on these hosts only. Raises Conflict when none is left."""
        found = set(hosts)
        left = found if self.only is None else self.only & found
        if not left:
            raise Conflict(f"No host has all of it. {self.because} {because}".strip())
        self.only, self.because = left, self.because or because


def meaning_of(wanted: Wanted, user: User | None) -> Meaning:
    """The rows that are meant. A fixed number of queries for each part.

    They are looked for where this person may; everywhere, when there is nobody to ask.

    Raises Invalid naming the part for what is not there, Conflict for what is there but
    cannot be used.
    """
    reading = _Reading(user)
    found = reading.read(wanted)
    if reading.errors:
        told = [text for texts in reading.errors.values() for text in texts]
        raise Invalid(" ".join(told[:5]), errors=reading.errors)
    return found


class _Reading:
    """One wish being understood."""

    def __init__(self, user: User | None) -> None:
        self.errors: Errors = {}
        self._user = user
        self._hosts = Host.objects.all() if user is None else access.visible(user)

    def read(self, wanted: Wanted) -> Meaning:
        """All of it; what is not understood is in `errors`."""
        meaning = Meaning()
        if wanted.host:
            meaning.host = self._host(wanted.host)
        if meaning.host:
            meaning.pin([meaning.host.pk], f"You chose {meaning.host.name}.")
        for number, disk in enumerate(wanted.disks):
            self._disk(meaning, disk, f"disks.{number}")
        for number, word in enumerate(wanted.cdroms):
            self._cdrom(meaning, word, f"cdroms.{number}")
        for number, nic in enumerate(wanted.nics):
            place = f"nics.{number}"
            meaning.networks.append(self._network(meaning, nic.network, place))
            if nic.bridge and not wanted.host:
                self._say(
                    f"{place}.bridge", "A bridge belongs to a host: choose it, too."
                )
        self._devices(meaning, wanted)
        self._project(meaning, wanted)
        return meaning

    def _say(self, part: str, sentence: str) -> None:
        self.errors.setdefault(part, []).append(sentence)

    def _host(self, word: str) -> Host | None:
        found = _by_id(self._hosts, word) or self._hosts.filter(name=word).first()
        if found is None:
            self._say("host", f"There is no host {word[:64]}.")
        return found

    def _project(self, meaning: Meaning, wanted: Wanted) -> None:
        if wanted.project:
            meaning.project = project_of(wanted.project)
            if meaning.project is None:
                self._say("project", f"There is no project {wanted.project[:64]!r}.")
        if wanted.on:
            tags = set(wanted.on)
            rows = self._hosts.values_list("pk", "tags")
            words = ", ".join(wanted.on)
            meaning.pin(
                [pk for pk, told in rows if tags & set(told)],
                f"It belongs on hosts with the tag {words}.",
            )

    def _disk(self, meaning: Meaning, disk: WantedDisk, place: str) -> None:
        volume = None
        if disk.volume:
            volume = self._volume(meaning, disk.volume, f"{place}.volume")
        image = self._image(disk, place) if disk.image else None
        meaning.volumes.append(volume)
        meaning.images.append(image)
        meaning.pools.append(self._pool(meaning, disk.pool, f"{place}.pool"))

    def _image(self, disk: WantedDisk, place: str) -> Image | None:
        """By its id, its name, or name and version."""
        rows = Image.objects.exclude(state=Image.State.DELETING)
        image = _by_id(rows, disk.image) or _by_words(rows, disk.image)
        if image is None:
            self._say(f"{place}.image", f"There is no image {disk.image[:64]}.")
            return None
        if image.state != Image.State.READY:
            raise Conflict(f"The image {image} is {image.state}: it cannot be used.")
        least = max(image.virtual_size_bytes, image.min_disk_bytes)
        if disk.size_bytes and disk.size_bytes < least:
            words = f"{image} needs a disk of at least {least} bytes."
            self._say(f"{place}.size_bytes", words)
        return image

    def _cdrom(self, meaning: Meaning, word: str, place: str) -> None:
        volume = self._volume(meaning, word, place)
        if volume is not None:
            meaning.cdroms.append(volume)

    def _pool(self, meaning: Meaning, word: str, place: str) -> str:
        """Its name; a pool that is given by id decides where the guest goes."""
        rows = Pool.objects.select_related("host").filter(host__in=self._hosts)
        pool = _by_id(rows, word)
        if pool is not None:
            meaning.pin([pool.host_id], f"The pool {pool.name} is of {pool.host.name}.")
            return pool.name
        if word and not rows.filter(name=word).exists():
            self._say(place, f"No host has a pool {word[:64]}.")
        return word

    def _volume(self, meaning: Meaning, word: str, place: str) -> Volume | None:
        """By its id, or by its path where that says which one it is."""
        rows = Volume.objects.select_related("pool__host")
        rows = rows.filter(pool__host__in=self._hosts)
        if word.startswith("/"):
            here = [meaning.host] if meaning.host else self._hosts
            volume = rows.filter(path=word, pool__host__in=here).first()
        else:
            volume = _by_id(rows, word)
        if volume is None:
            self._say(place, "There is no such volume.")
            return None
        holdings.need_ready(volume)
        host = volume.pool.host
        meaning.pin([host.pk], f"The volume {volume.name} is on {host.name}.")
        return volume

    def _network(self, meaning: Meaning, word: str, place: str) -> str:
        """Its name; a network that is given by id decides where the guest goes."""
        rows = Network.objects.select_related("host").filter(host__in=self._hosts)
        network = _by_id(rows, word)
        if network is not None:
            host = network.host
            meaning.pin([host.pk], f"The network {network.name} is of {host.name}.")
            return network.name
        if word and not rows.filter(name=word).exists():
            self._say(f"{place}.network", f"No host has a network {word[:64]}.")
        return word

    def _devices(self, meaning: Meaning, wanted: Wanted) -> None:
        for number, device_id in enumerate(wanted.host_devices):
            rows = HostDevice.objects.select_related("host")
            device = _by_id(rows.filter(host__in=self._hosts), str(device_id))
            if device is None:
                self._say(
                    f"host_devices.{number}", "There is no such device of a host."
                )
                continue
            because = f"The device {device} is of {device.host.name}."
            meaning.pin([device.host_id], because)
            meaning.devices.append(device)


def _by_words(rows: QuerySet[Image], words: str) -> Image | None:
    """The newest of this name, or the very version."""
    name, _, version = words.rpartition(" ")
    exact = rows.filter(name=name, version=version).first() if name else None
    return exact or rows.filter(name=words).order_by("-pk").first()


def _by_id(rows: QuerySet[M], word: str) -> M | None:
    if not (word.isascii() and word.isdecimal() and len(word) < 18):
        return None
    return rows.filter(pk=int(word)).first()
