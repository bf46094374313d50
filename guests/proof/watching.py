"""A guest's downtime as a client sees it: its address, asked every 20 ms by a child."""

import ipaddress
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import UUID

from django.conf import settings

from guests.models import Guest
from guests.proof.probing import AFTERWARDS_S
from hosts.models import Network

logger = logging.getLogger(__name__)

_LAST_WORD_S = AFTERWARDS_S + 3


class Watch:
    """What was seen; all of it is known once the block has ended."""

    def __init__(self) -> None:
        self.longest_gap_ms: int | None = None  # None: the address never answered
        self.answers = 0
        self.means = ""  # icmp | arp | tcp


@contextmanager
def watch(address: str) -> Iterator[Watch]:
    """Ask this address all through the block, and a moment longer where it is silent.

    What is no address is asked nothing. Whatever becomes of the watching, the block goes on.
    """
    seen = Watch()
    if not _is_address(address):
        yield seen
        return
    with subprocess.Popen(  # noqa: S603 - our own interpreter; the address is one
        [sys.executable, "-m", "guests.proof.probing", address],
        cwd=settings.BASE_DIR,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        try:
            yield seen
            _hear(child, seen)
        finally:
            child.kill()


def address_of(guest: UUID) -> str:
    """The address a client would use, as its row knows it; "" when it has none.

    One that its host hides behind its own is none: elsewhere it is somebody else's.
    """
    row = Guest.objects.filter(pk=guest).only("addresses", "nics", "host").first()
    if row is None:
        return ""
    hidden, found = _hidden(row), []
    for text in row.addresses.split():
        if text in hidden:
            continue
        with suppress(ValueError):
            address = ipaddress.ip_address(text)
            if not address.is_link_local and not address.is_loopback:
                found.append(address)
    found.sort(key=lambda it: it.version)
    return str(found[0]) if found else ""


def believed(seen_ms: int | None, stood_ms: int | None) -> int | None:
    """What a client saw, where the guest itself can have answered; else None.

    It is silent while it stands still: what answers in between is a proxy or a twin.
    """
    if seen_ms is None or stood_ms is None:
        return seen_ms
    return seen_ms if seen_ms >= stood_ms / 2 else None


def _hidden(guest: Guest) -> set[str]:
    """Its addresses on networks that go out by their host's address."""
    nets = Network.objects.filter(host=guest.host_id, mode="nat")
    names = set(nets.values_list("name", flat=True))
    return {
        each["address"]
        for nic in guest.nics
        if nic.get("network") in names
        for each in nic.get("addresses", ())
    }


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _hear(child: "subprocess.Popen[str]", seen: Watch) -> None:
    try:
        said = json.loads(child.communicate("done\n", timeout=_LAST_WORD_S)[0])
    except (subprocess.TimeoutExpired, ValueError, OSError) as error:
        logger.warning("Nobody could say how long a guest was silent: %r", error)
        return
    seen.longest_gap_ms = said["longest_gap_ms"]
    seen.answers = said["answers"]
    seen.means = said["means"]
