"""What somebody asks for, in their words, and the request it means. Nothing is stored."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace

from django.db.models import QuerySet

from guests.creation.wanted import NAME, NAME_WORDS, whole_disk, whole_memory
from guests.images.models import Image
from guests.images.seed import CloudInit
from guests.models import Guest
from hosts.models import Network
from hosts.vault import open_text, seal_text
from kvmweb.accounts.models import Project, User
from kvmweb.errors import Conflict, Invalid
from kvmweb.sizes import amount
from kvmweb.virt.types import DomainState
from portal import refs
from portal.flavors import queries as flavors
from portal.flavors.models import Flavor
from portal.projects import scopes
from portal.projects.scope import Scope, need_allowed
from portal.refs import Ref
from portal.requests.models import Request
from portal.requests.states import OPEN, Kind

REASON_MAX, NOTE_MAX, LEASE_MAX = 2000, 2000, 3650
_SOME_MAC = "52:54:00:00:00:00"
_DEFAULT = "default"
Errors = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Wish:
    """A machine, as somebody said it; things by id or by name."""

    name: str
    flavor: Ref | None  # None: the size it was asked for with
    lease_days: int
    reason: str = ""
    note: str = ""  # for who decides
    image: Ref = ""
    network: Ref = ""  # "": the usual one
    cloud: CloudInit | None = None


def read(
    wish: Wish, project: Project, user: User, instead: Request | None = None
) -> Request:
    """The request it means, not stored yet; with `instead` it may keep that one's size.

    Raises Invalid naming each part that cannot be; a few queries.
    """
    scope = scopes.of(project.pk)
    reading = _Reading(wish, project, scope)
    kept = instead if wish.flavor is None else None
    flavor = None if kept else reading.flavor()
    size = _size_of(kept or flavor)
    image, network = reading.image(), reading.network()
    reading.check(size, image, network)
    if size is None or reading.errors:
        told = [text for texts in reading.errors.values() for text in texts]
        raise Invalid(" ".join(told[:5]), errors=reading.errors)
    need_allowed(scope, flavor, image, network)
    return Request(
        kind=Kind.NEW,
        project=project,
        requester=user,
        author=user.username,
        name=wish.name,
        flavor=kept.flavor if kept else flavor,
        vcpus=size.vcpus,
        memory_bytes=size.memory_bytes,
        disk_bytes=size.disk_bytes,
        image=image,
        image_name=str(image) if image else "",
        network=network,
        reason=wish.reason.strip(),
        note=wish.note.strip(),
        lease_days=wish.lease_days,
        login=wish.cloud.user if wish.cloud else "",
        sealed=sealed(wish.cloud),
    )


@dataclass(frozen=True, slots=True)
class _Size:
    """How large it will really be: hypervisors give whole MiB, and disks have sectors."""

    name: str
    vcpus: int
    memory_bytes: int
    disk_bytes: int


def _size_of(of: Flavor | Request | None) -> _Size | None:
    if of is None:
        return None
    memory, disk = whole_memory(of.memory_bytes), whole_disk(of.disk_bytes)
    return _Size(of.name, of.vcpus, memory, disk)


def sealed(cloud: CloudInit | None) -> str:
    """Who the machine shall be, as text that only the key opens; "" for nothing."""
    return "" if cloud is None else seal_text(json.dumps(cloud.to_json()))


def cloud_of(request: Request) -> CloudInit | None:
    """Who its machine shall be. Raises Unavailable when the key is another one."""
    if not request.sealed:
        return None
    return CloudInit.from_json(json.loads(open_text(request.sealed)))


def need_free_name(project: Project, name: str, but: int | None = None) -> None:
    """Nothing. Raises Conflict when the project has a machine or a request of this name."""
    there = Guest.objects.filter(project=project, name=name)
    open_ones = Request.objects.filter(
        project=project, name=name, kind=Kind.NEW, state__in=OPEN
    )
    if there.exclude(state=DomainState.GONE).exists():
        raise Conflict(f"{project} has a machine {name} already.", field="name")
    if open_ones.exclude(pk=but or 0).exists():
        raise Conflict(f"A machine {name} was asked for already.", field="name")


def images(scope: Scope) -> QuerySet[Image]:
    """The images that may be asked for, by name and version."""
    rows = Image.objects.filter(state=Image.State.READY)
    return rows.filter(pk__in=scope.images) if scope.images else rows


def networks(scope: Scope) -> list[str]:
    """The names of the networks that may be asked for, the usual one first."""
    rows = Network.objects.filter(active=True)
    if scope.networks:
        rows = rows.filter(name__in=scope.networks)
    names = rows.order_by("name").values_list("name", flat=True).distinct()
    return sorted(names, key=lambda name: (name != _DEFAULT, name))


class _Reading:
    """One wish being understood; what is not understood is in `errors`."""

    def __init__(self, wish: Wish, project: Project, scope: Scope) -> None:
        self.errors: Errors = {}
        self._wish, self._project, self._scope = wish, project, scope

    def _say(self, part: str, sentence: str) -> None:
        self.errors.setdefault(part, []).append(sentence)

    def flavor(self) -> Flavor | None:
        """By its id or name, of those that can be asked for in the project."""
        ref = "" if self._wish.flavor is None else self._wish.flavor
        flavor = refs.found(flavors.for_project(self._project), ref)
        if flavor is None:
            self._say("flavor", f"There is no flavor {_shown(ref)} in this project.")
        return flavor

    def image(self) -> Image | None:
        """By its id, its name, or name and version; None when none is wanted."""
        ref = self._wish.image
        if ref == "":
            return None
        rows = images(self._scope)
        image = refs.found(rows.order_by("-pk"), ref)
        name, _, version = str(ref).rpartition(" ")
        if image is None and name:
            image = rows.filter(name=name, version=version).first()
        if image is None:
            self._say("image", f"There is no image {_shown(ref)} in this project.")
        return image

    def network(self) -> str:
        """Its name, by name or id; the usual one when none was said; "" for none."""
        offered, ref = networks(self._scope), self._wish.network
        if ref == "":
            usual = offered[:1] if offered[:1] == [_DEFAULT] else offered
            return usual[0] if len(usual) == 1 else ""
        network = refs.found(Network.objects.filter(name__in=offered), ref)
        if network is None:
            self._say("network", f"There is no network {_shown(ref)} in this project.")
        return network.name if network else ""

    def check(self, size: _Size | None, image: Image | None, network: str) -> None:
        """Find fault with what does not go together."""
        for part, sentence in self._faults(size, image):
            self._say(part, sentence)
        self._check_cloud(network)

    def _faults(
        self, size: _Size | None, image: Image | None
    ) -> Iterator[tuple[str, str]]:
        wish = self._wish
        if not NAME.fullmatch(wish.name):
            yield "name", NAME_WORDS
        if len(wish.reason) > REASON_MAX:
            yield "reason", f"Say it in at most {REASON_MAX} letters."
        if len(wish.note) > NOTE_MAX:
            yield "note", f"Say it in at most {NOTE_MAX} letters."
        if not 1 <= wish.lease_days <= LEASE_MAX:
            yield "lease_days", f"Give 1 to {LEASE_MAX} days."
        if size is None or image is None:
            return
        least = max(image.virtual_size_bytes, image.min_disk_bytes)
        if size.disk_bytes < least:
            needs, has = amount(least), amount(size.disk_bytes)
            words = f"{image} needs a disk of {needs}, and {size.name} has {has}."
            yield "flavor", words

    def _check_cloud(self, network: str) -> None:
        cloud = self._wish.cloud
        if cloud is None:
            return
        if cloud.network and not network:
            self._say("cloud_init.network", "Without a network there is no address.")
        cards = tuple(replace(it, mac=it.mac or _SOME_MAC) for it in cloud.network)
        name = self._wish.name if NAME.fullmatch(self._wish.name) else "guest"
        try:
            replace(cloud, hostname=cloud.hostname or name, network=cards).check()
        except Invalid as error:
            for part, sentences in error.errors.items():
                for sentence in sentences:
                    self._say(f"cloud_init.{part}", sentence)


def _shown(ref: Ref) -> str:
    return repr(ref)[:66]
