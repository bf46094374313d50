"""What a host announces, as small wake-ups. They say where to look, never what is true."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

import libvirt


class Kind(StrEnum):
    """What an event is about."""

    DOMAIN = "domain"
    POOL = "pool"
    NETWORK = "network"


@dataclass(frozen=True, slots=True)
class Wake:
    """Something happened to one thing; `word` is "started", "crashed" and the like."""

    kind: Kind
    uuid: UUID
    word: str


def _lifecycle(event: str, words: dict[str, str]) -> dict[tuple[int, int], str]:
    """The words of one lifecycle event by its number and its detail's."""
    number = getattr(libvirt, f"VIR_DOMAIN_EVENT_{event}")
    prefix = f"VIR_DOMAIN_EVENT_{event}_"
    return {
        (number, getattr(libvirt, prefix + detail)): word
        for detail, word in words.items()
        if hasattr(libvirt, prefix + detail)
    }


# Where a detail is not named here, the event's own word stands for it.
_DETAILS = {
    **_lifecycle(
        "DEFINED",
        {"UPDATED": "edited", "RENAMED": "renamed", "FROM_SNAPSHOT": "reverted"},
    ),
    **_lifecycle("UNDEFINED", {"RENAMED": "renamed"}),
    **_lifecycle(
        "STARTED",
        {
            "MIGRATED": "migrated-in",
            "RESTORED": "restored",
            "FROM_SNAPSHOT": "reverted",
            "WAKEUP": "woken",
        },
    ),
    **_lifecycle(
        "STOPPED",
        {
            "SHUTDOWN": "shutdown",
            "DESTROYED": "destroyed",
            "CRASHED": "crashed",
            "MIGRATED": "migrated-away",
            "SAVED": "saved",
            "FAILED": "failed",
            "FROM_SNAPSHOT": "reverted",
        },
    ),
}
_EVENTS = {
    libvirt.VIR_DOMAIN_EVENT_DEFINED: "defined",
    libvirt.VIR_DOMAIN_EVENT_UNDEFINED: "undefined",
    libvirt.VIR_DOMAIN_EVENT_STARTED: "started",
    libvirt.VIR_DOMAIN_EVENT_SUSPENDED: "paused",
    libvirt.VIR_DOMAIN_EVENT_RESUMED: "resumed",
    libvirt.VIR_DOMAIN_EVENT_STOPPED: "stopped",
    libvirt.VIR_DOMAIN_EVENT_SHUTDOWN: "shutting-down",
    libvirt.VIR_DOMAIN_EVENT_PMSUSPENDED: "suspended",
    libvirt.VIR_DOMAIN_EVENT_CRASHED: "crashed",
}
_WORDS = {  # by libvirt's name; every other event keeps its own, in lower case
    "REBOOT": "rebooted",
    "IO_ERROR_REASON": "io-error",
    "AGENT_LIFECYCLE": "agent",
    "BALLOON_CHANGE": "balloon",
    "BLOCK_JOB_2": "block-job",
    "METADATA_CHANGE": "metadata",
    "PMSUSPEND_DISK": "pmsuspend",
}
_PREFIX = "VIR_DOMAIN_EVENT_ID_"


@contextmanager
def listening(conn: libvirt.virConnect, wake: Callable[[Wake], None]) -> Iterator[None]:
    """Hear all that this host and this binding can announce until the block ends.

    `wake` runs in libvirt's event loop: it may only put the wake-up somewhere. Hosts
    that announce nothing are listened to in vain, without an error.
    """
    deregister: list[Callable[[], object]] = []
    for number, word in _domain_events():
        callback = _domain_callback(word, wake)
        with suppress(libvirt.libvirtError):  # this host does not know the event
            handle = conn.domainEventRegisterAny(None, number, callback, None)
            deregister.append(_call(conn.domainEventDeregisterAny, handle))
    for register, remove, number, callback in _other_events(conn, wake):
        with suppress(libvirt.libvirtError):
            handle = register(None, number, callback, None)
            deregister.append(_call(remove, handle))
    try:
        yield
    finally:
        for each in deregister:
            with suppress(libvirt.libvirtError):  # the connection broke
                each()


def _call(function: Callable[[int], object], handle: int) -> Callable[[], object]:
    return lambda: function(handle)


def _domain_events() -> list[tuple[int, str]]:
    """Every event id that this binding knows, and our word for it."""
    known = {
        name.removeprefix(_PREFIX): number
        for name, number in vars(libvirt).items()
        if name.startswith(_PREFIX) and not name.endswith("_LAST")
    }
    return [
        (number, _WORDS.get(name, name.lower().replace("_", "-")))
        for name, number in known.items()
    ]


def _domain_callback(word: str, wake: Callable[[Wake], None]) -> Callable[..., None]:
    def lifecycle(
        _conn: object, dom: libvirt.virDomain, event: int, detail: int, _data: object
    ) -> None:
        said = _DETAILS.get((event, detail)) or _EVENTS.get(event, "changed")
        wake(Wake(Kind.DOMAIN, UUID(bytes=dom.UUID()), said))

    def other(_conn: object, dom: libvirt.virDomain, *_details: object) -> None:
        wake(Wake(Kind.DOMAIN, UUID(bytes=dom.UUID()), word))

    return lifecycle if word == "lifecycle" else other


_Registration = tuple[
    Callable[..., int], Callable[[int], object], int, Callable[..., None]
]


def _other_events(
    conn: libvirt.virConnect, wake: Callable[[Wake], None]
) -> list[_Registration]:
    def pool(_conn: object, pool: libvirt.virStoragePool, *_details: object) -> None:
        wake(Wake(Kind.POOL, UUID(bytes=pool.UUID()), "changed"))

    def network(_conn: object, network: libvirt.virNetwork, *_details: object) -> None:
        wake(Wake(Kind.NETWORK, UUID(bytes=network.UUID()), "changed"))

    register, remove = (
        conn.storagePoolEventRegisterAny,
        conn.storagePoolEventDeregisterAny,
    )
    return [
        (register, remove, libvirt.VIR_STORAGE_POOL_EVENT_ID_LIFECYCLE, pool),
        (register, remove, libvirt.VIR_STORAGE_POOL_EVENT_ID_REFRESH, pool),
        (
            conn.networkEventRegisterAny,
            conn.networkEventDeregisterAny,
            libvirt.VIR_NETWORK_EVENT_ID_LIFECYCLE,
            network,
        ),
    ]
