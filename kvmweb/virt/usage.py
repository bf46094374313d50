"""Who uses a volume.

libvirt protects nothing that is in use, so this errs on the side of "used": any mention
of a path anywhere in a domain's documents counts.
"""

import posixpath
import re
from collections.abc import Iterator
from functools import cached_property
from uuid import UUID

import libvirt
from lxml import etree

from kvmweb.errors import HostError, Invalid
from kvmweb.virt.errors import explain, explaining
from kvmweb.virt.types import VolumeUser
from kvmweb.virt.xml.document import parse
from kvmweb.virt.xml.storage import Volume

_CHAIN_MAX = 200  # backing files below each other; QEMU gives up long before
_MAPPED = re.compile(r"/dev/mapper/((?:[^-]|--)+)-((?:[^-]|--)+)")
_GONE = (
    libvirt.VIR_ERR_NO_DOMAIN,
    libvirt.VIR_ERR_NO_DOMAIN_SNAPSHOT,
    libvirt.VIR_ERR_NO_SUPPORT,
)


def users_of(
    conn: libvirt.virConnect, paths: tuple[str, ...]
) -> dict[str, tuple[VolumeUser, ...]]:
    """The domains that use these volumes, by path. Raises HostError, see `storage`."""
    volumes = _Volumes(conn)
    wanted = {path: volumes.names_of(path) for path in paths}
    users: dict[str, list[VolumeUser]] = {path: [] for path in paths}
    with explaining("list the guests"):
        domains = conn.listAllDomains(0)
    for domain in domains:
        used: set[str] = set()
        for mention in _mentions(conn, domain):
            used |= volumes.chain_of(mention)
        for path, names in wanted.items():
            if names & used and (user := _user(domain)):
                users[path].append(user)
    return {path: tuple(found) for path, found in users.items()}


def volume_above(conn: libvirt.virConnect, path: str) -> str:
    """The path of a volume whose backing file this is; "" when there is none."""
    return volumes_above(conn, (path,)).get(path, "")


def volumes_above(conn: libvirt.virConnect, paths: tuple[str, ...]) -> dict[str, str]:
    """For each path that a volume stands on: one that does, and is none of them."""
    volumes = _Volumes(conn)
    names = {path: volumes.names_of(path) for path in paths}
    among = frozenset().union(*names.values())
    found: dict[str, str] = {}
    for above, document in volumes.documents.items():
        if not document.backing_path or above in among:
            continue
        below = volumes.names_of(document.backing_path)
        for path in paths:
            if below & names[path]:
                found.setdefault(path, above)
    return found


class _Volumes:
    """The volumes of all active pools, read once."""

    def __init__(self, conn: libvirt.virConnect) -> None:
        self._conn = conn
        self._names: dict[str, frozenset[str]] = {}

    @cached_property
    def documents(self) -> dict[str, Volume]:
        """By path. Raises HostError when a pool cannot be read."""
        found = {}
        with explaining("look through the storage pools"):
            for pool in self._conn.listAllStoragePools(
                libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE
            ):
                for volume in pool.listAllVolumes(0):
                    if document := _document(volume):
                        found[document.path] = document
        return found

    def names_of(self, path: str) -> frozenset[str]:
        """All that this path is called: itself, its plain form, libvirt's key."""
        if path not in self._names:
            names = {path, *_aliases(path)}
            for alias in tuple(names):
                names |= self._known_as(alias)
            self._names[path] = frozenset(names)
        return self._names[path]

    def chain_of(self, path: str) -> set[str]:
        """All names of what is at this path and of the backing files below it."""
        names: set[str] = set()
        for _ in range(_CHAIN_MAX):
            here = self.names_of(path)
            if here <= names:  # a circle, or the same again
                break
            names |= here
            below = [self.documents[name] for name in here if name in self.documents]
            path = next((each.backing_path for each in below if each.backing_path), "")
            if not path:
                break
        return names

    def _known_as(self, path: str) -> set[str]:
        """What libvirt calls this volume, if one of its pools has it."""
        try:
            volume = self._conn.storageVolLookupByPath(path)
            return {str(volume.key()), str(volume.path())}
        except libvirt.libvirtError as error:
            if error.get_error_code() in {
                libvirt.VIR_ERR_NO_STORAGE_VOL,
                libvirt.VIR_ERR_NO_SUPPORT,
            }:
                return set()
            raise explain(error, f"find the volume {path}") from error


def _document(volume: libvirt.virStorageVol) -> Volume | None:
    try:
        return Volume.parse(volume.XMLDesc(0))
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_STORAGE_VOL:
            return None  # it went while we looked
        raise
    except Invalid as error:
        message = f"The volume {volume.name()!r} cannot be read: {error.detail}"
        raise HostError(message) from error


def _aliases(path: str) -> set[str]:
    """Other spellings of the same path, as far as one can say from here."""
    plain = posixpath.normpath(path)
    names = {plain}
    if match := _MAPPED.fullmatch(plain):
        group, name = (part.replace("--", "-") for part in match.groups())
        names.add(f"/dev/{group}/{name}")
    return names


def _mentions(conn: libvirt.virConnect, domain: libvirt.virDomain) -> Iterator[str]:
    """Every path and every remote image that a domain's documents name."""
    for xml in _documents(domain):
        try:
            elements = list(parse(xml).iter(etree.Element))
        except Invalid as error:
            message = f"Nobody can say which files {domain.name()} uses: {error.detail}"
            raise HostError(message) from error
        for element in elements:
            for text in (*element.attrib.values(), (element.text or "").strip()):
                if str(text).startswith("/"):
                    yield str(text)
            if element.tag == "source":
                yield from _elsewhere(conn, element)


def _elsewhere(conn: libvirt.virConnect, source: etree._Element) -> Iterator[str]:
    """What a disk's source names without a path: a remote image, a pool's volume."""
    if source.get("protocol"):
        yield source.get("name", "")
    pool, volume = source.get("pool"), source.get("volume")
    if not (pool and volume):
        return
    try:
        yield str(
            conn.storagePoolLookupByName(pool).storageVolLookupByName(volume).path()
        )
    except libvirt.libvirtError as error:
        if error.get_error_code() not in {
            libvirt.VIR_ERR_NO_STORAGE_POOL,
            libvirt.VIR_ERR_NO_STORAGE_VOL,
        }:
            raise explain(error, f"find the volume {volume} of {pool}") from error


def _documents(domain: libvirt.virDomain) -> Iterator[str]:
    """What runs, what is defined, what was saved, and all snapshots."""
    for texts in (_present, _defined, _saved, _snapshots):
        try:
            yield from texts(domain)
        except libvirt.libvirtError as error:
            if error.get_error_code() not in _GONE:
                raise explain(error, f"see which files {domain.name()} uses") from error


def _present(domain: libvirt.virDomain) -> list[str]:
    return [domain.XMLDesc(0)]


def _defined(domain: libvirt.virDomain) -> list[str]:
    return [domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)]


def _saved(domain: libvirt.virDomain) -> list[str]:
    saved = domain.hasManagedSaveImage(0)
    return [domain.managedSaveGetXMLDesc(0)] if saved else []


def _snapshots(domain: libvirt.virDomain) -> list[str]:
    return [each.getXMLDesc(0) for each in domain.listAllSnapshots(0)]


def _user(domain: libvirt.virDomain) -> VolumeUser | None:
    """This user; None when it went while we looked."""
    try:
        active = bool(domain.isActive())
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            return None
        raise explain(error, f"see whether {domain.name()} runs") from error
    return VolumeUser(UUID(bytes=domain.UUID()), str(domain.name()), active)
