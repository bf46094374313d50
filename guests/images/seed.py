"""What a new guest is told about itself: a NoCloud seed, as the bytes of an ISO. Pure.

cloud = CloudInit(hostname="web-1", user="ann", ssh_keys=("ssh-ed25519 AAAA…",))
cloud.check()
iso = seed(cloud, guest=uuid)
"""

import base64
import binascii
import hashlib
import ipaddress
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from io import BytesIO
from typing import Any, Self
from uuid import UUID

import pycdlib
import yaml
from passlib.hash import sha512_crypt

from guests.images import userdata
from kvmweb.errors import Invalid

LABEL = "cidata"  # what cloud-init looks for
KEYS_MAX = 50
CARDS_MAX = 32
PASSWORD_MAX = 256
_ROUNDS = 50_000  # a second or so where CPUs are emulated
_HOSTNAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_MAC = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}")
_KEY_KINDS = (
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)
_PLAIN = re.compile(r"[^\0-\x1f\x7f]*")  # one line of text
Errors = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Card:
    """How one network card gets its addresses; by DHCP unless it names its own."""

    mac: str  # "52:54:00:12:34:56"
    addresses: tuple[str, ...] = ()  # "10.0.0.5/24", "fd00::5/64"
    gateway: str = ""
    dns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CloudInit:
    """Who a new guest is. Without `user`, keys and password are its default user's.

    `user_data` is cloud-config of one's own; where it says what the other fields say,
    it is right, but for users: both are made. Without `network` the first card uses DHCP.
    """

    hostname: str
    user: str = ""
    password: str = field(default="", repr=False)
    ssh_keys: tuple[str, ...] = ()
    user_data: str = field(default="", repr=False)
    network: tuple[Card, ...] = ()

    def check(self) -> None:
        """Nothing. Raises Invalid, which names each field that cannot be taken."""
        errors: Errors = {}
        for name, faults in _CHECKS.items():
            if found := list(faults(self)):
                errors[name] = found
        if errors:
            raise Invalid(
                " ".join(each for texts in errors.values() for each in texts),
                errors=errors,
            )

    def to_json(self) -> dict[str, Any]:
        """As JSON has it, with the password: for a sealed envelope only."""
        return asdict(self)

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Self:
        """The same again."""
        lists = {
            "ssh_keys": tuple(told.get("ssh_keys", ())),
            "network": tuple(_card(each) for each in told.get("network", ())),
        }
        return cls(**{**told, **lists})


def seed(cloud: CloudInit, *, guest: UUID) -> bytes:
    """The ISO that cloud-init reads: meta-data, user-data and, if asked, network-config.

    Another guest or other settings are another instance: cloud-init runs once for each.
    Raises Invalid as `check`.
    """
    cloud.check()
    words = user_data(cloud)
    files = {"user-data": words, "meta-data": _meta_data(cloud, guest, words)}
    if cloud.network:
        files["network-config"] = _dumped(_network(cloud.network))
    return _iso(files)


def user_data(cloud: CloudInit) -> str:
    """The cloud-config: their own over ours, the password hashed."""
    ours: dict[str, Any] = {
        "hostname": cloud.hostname,
        "fqdn": cloud.hostname,
        "prefer_fqdn_over_hostname": False,
        "manage_etc_hosts": True,
        "ssh_pwauth": bool(cloud.password),
        **(_named_user(cloud) if cloud.user else _default_user(cloud)),
    }
    theirs = userdata.parse(cloud.user_data) if cloud.user_data.strip() else {}
    merged = {**ours, **theirs}
    if isinstance(theirs.get("users"), list) and "users" in ours:
        merged["users"] = [*theirs["users"], *ours["users"]]
    return f"{userdata.HEADER}\n{_dumped(merged)}"


def _named_user(cloud: CloudInit) -> dict[str, Any]:
    person: dict[str, Any] = {
        "name": cloud.user,
        "gecos": cloud.user,
        "shell": "/bin/bash",
        "sudo": "ALL=(ALL) NOPASSWD:ALL",
        "lock_passwd": not cloud.password,
    }
    if cloud.password:
        person["hashed_passwd"] = _hashed(cloud.password)
    if cloud.ssh_keys:
        person["ssh_authorized_keys"] = _keys(cloud)
    return {"users": [person]}


def _default_user(cloud: CloudInit) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if cloud.password:
        told["password"] = _hashed(cloud.password)
        told["chpasswd"] = {"expire": False}
    if cloud.ssh_keys:
        told["ssh_authorized_keys"] = _keys(cloud)
    return told


def _keys(cloud: CloudInit) -> list[str]:
    return [key.strip() for key in cloud.ssh_keys]


def _hashed(password: str) -> str:
    return str(sha512_crypt.using(rounds=_ROUNDS).hash(password))


def _meta_data(cloud: CloudInit, guest: UUID, words: str) -> str:
    digest = hashlib.sha256(f"{words}{cloud.network}".encode()).hexdigest()
    told = {
        "instance-id": f"{guest}-{digest[:12]}",
        "local-hostname": cloud.hostname,
    }
    return _dumped(told)


def _network(cards: tuple[Card, ...]) -> dict[str, Any]:
    """Version 2. Cards are found by MAC and renamed, which every renderer can."""
    ethernets: dict[str, Any] = {}
    for number, card in enumerate(cards):
        name = f"eth{number}"
        told: dict[str, Any] = {
            "match": {"macaddress": card.mac},
            "set-name": name,
            "dhcp4": not card.addresses,
        }
        if card.addresses:
            told["addresses"] = list(card.addresses)
        if card.gateway:
            kind = "gateway6" if ":" in card.gateway else "gateway4"
            told[kind] = card.gateway
        if card.dns:
            told["nameservers"] = {"addresses": list(card.dns)}
        ethernets[name] = told
    return {"version": 2, "ethernets": ethernets}


def _dumped(told: dict[str, Any]) -> str:
    return str(yaml.safe_dump(told, sort_keys=False, allow_unicode=True, width=4096))


def _iso(files: dict[str, str]) -> bytes:
    iso = pycdlib.PyCdlib()
    iso.new(interchange_level=3, vol_ident=LABEL, joliet=3, rock_ridge="1.09")
    for name, text in files.items():
        data = text.encode()
        plain = name.replace("-", "").upper()[:8]
        iso.add_fp(
            BytesIO(data),
            len(data),
            f"/{plain}.;1",
            rr_name=name,
            joliet_path=f"/{name}",
        )
    out = BytesIO()
    iso.write_fp(out)
    iso.close()
    return out.getvalue()


def _card(told: dict[str, Any]) -> Card:
    return Card(
        mac=told["mac"],
        addresses=tuple(told.get("addresses", ())),
        gateway=told.get("gateway", ""),
        dns=tuple(told.get("dns", ())),
    )


# Why a field cannot be taken, as sentences.


def _hostname_faults(cloud: CloudInit) -> Iterator[str]:
    if not _HOSTNAME.fullmatch(cloud.hostname):
        yield (
            "A host name has up to 63 small letters, digits, dots and dashes, and begins "
            "and ends with a letter or digit."
        )
    elif ".." in cloud.hostname or ".-" in cloud.hostname or "-." in cloud.hostname:
        yield "In a host name, a letter or digit stands on both sides of a dot."


def _user_faults(cloud: CloudInit) -> Iterator[str]:
    if cloud.user == "root":
        yield "Name another user than root: it may become root with sudo."
    elif cloud.user and not _USER.fullmatch(cloud.user):
        yield (
            "A user name has up to 32 small letters, digits, dashes and underscores, and "
            "begins with a letter."
        )
    elif cloud.user and not (cloud.password or cloud.ssh_keys or cloud.user_data):
        yield "Give a password or an SSH key: nobody could sign in otherwise."


def _password_faults(cloud: CloudInit) -> Iterator[str]:
    if len(cloud.password) > PASSWORD_MAX:
        yield f"Use at most {PASSWORD_MAX} characters."
    if not _PLAIN.fullmatch(cloud.password):
        yield "A password is one line of text."


def _key_faults(cloud: CloudInit) -> Iterator[str]:
    if len(cloud.ssh_keys) > KEYS_MAX:
        yield f"Use at most {KEYS_MAX} keys."
        return
    for number, key in enumerate(cloud.ssh_keys, start=1):
        if not _is_key(key):
            yield (
                f"Key {number} is no public SSH key: paste one line like "
                "“ssh-ed25519 AAAA… name”."
            )


def _is_key(line: str) -> bool:
    words = line.split()
    if len(line) > 16384 or not _PLAIN.fullmatch(line.strip()) or len(words) < 2:
        return False
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (binascii.Error, ValueError):
        return False
    kind = words[0].encode()
    return words[0] in _KEY_KINDS and blob[:4] + blob[4 : 4 + len(kind)] == (
        len(kind).to_bytes(4) + kind
    )


def _user_data_faults(cloud: CloudInit) -> Iterator[str]:
    if cloud.user_data.strip():
        try:
            userdata.parse(cloud.user_data)
        except Invalid as error:
            yield error.detail


def _network_faults(cloud: CloudInit) -> Iterator[str]:
    if len(cloud.network) > CARDS_MAX:
        yield f"Use at most {CARDS_MAX} network cards."
        return
    for card in cloud.network:
        yield from _card_faults(card)


def _card_faults(card: Card) -> Iterator[str]:
    if not _MAC.fullmatch(card.mac):
        yield f"{card.mac[:40]!r} is no MAC address like 52:54:00:12:34:56."
    for text in card.addresses:
        if "/" not in text or not _is(ipaddress.ip_interface, text):
            yield f"{text[:60]!r} is no address with its width, like 10.0.0.5/24."
    for text in (*filter(None, [card.gateway]), *card.dns):
        if not _is(ipaddress.ip_address, text):
            yield f"{text[:60]!r} is no IP address."
    if card.gateway and not card.addresses:
        yield "A gateway needs an address beside it; DHCP brings its own."


def _is(kind: Callable[[str], object], text: str) -> bool:
    try:
        kind(text)
    except ValueError:
        return False
    return True


_CHECKS: dict[str, Callable[[CloudInit], Iterator[str]]] = {
    "hostname": _hostname_faults,
    "user": _user_faults,
    "password": _password_faults,
    "ssh_keys": _key_faults,
    "user_data": _user_data_faults,
    "network": _network_faults,
}
