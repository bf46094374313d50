"""What is wrong with a host, as sentences. Values in, sentences out."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from hosts.models import Host, Pool
from kvmweb.virt.types import Transport

OLD_LIBVIRT = (7, 0)
NEARLY_FULL = 0.9
_STALE_S = 30  # after a watcher's lease ran out


@dataclass(frozen=True, slots=True)
class Situation:
    """What there is to judge a host by."""

    host: Host
    pools: Sequence[Pool]
    same_machines: Sequence[Host]
    running_memory_bytes: int  # what its running guests may use
    now: datetime


def problems(situation: Situation) -> list[str]:
    """Sentences, the worst first; none when all is well."""
    return [
        *_of_connection(situation),
        *_of_identity(situation),
        *_of_pools(situation.pools),
        *_of_memory(situation),
        *_of_care(situation.host),
    ]


def _of_connection(situation: Situation) -> Iterator[str]:
    host = situation.host
    if host.state == Host.State.DOWN:
        since = host.state_since.strftime("%F %H:%M UTC")
        yield f"Down since {since}. {host.error} {host.error_hint}".strip()
    if host.maintenance:
        yield "In maintenance: its guests stay, no new ones are put here."
    until = host.watched_until
    if until is None or (situation.now - until).total_seconds() > _STALE_S:
        seen = host.seen_at
        age = f"from {seen.strftime('%F %H:%M UTC')}" if seen else "not known yet"
        yield f"Nobody watches this host now: what is shown is {age}."


def _of_identity(situation: Situation) -> Iterator[str]:
    for other in situation.same_machines:
        yield (
            f"{other.name} says it is the same machine: both have the UUID "
            f"{situation.host.uuid}. Remove one of the two, or give this machine a "
            "host_uuid of its own in libvirtd.conf."
        )


def _of_pools(pools: Iterable[Pool]) -> Iterator[str]:
    for pool in pools:
        if pool.problem:
            yield f"Storage pool {pool.name}: {pool.problem}"
        elif not pool.active:
            yield f"Storage pool {pool.name} is not active."
        elif pool.capacity_bytes and (
            pool.allocation_bytes > NEARLY_FULL * pool.capacity_bytes
        ):
            percent = 100 * pool.allocation_bytes // pool.capacity_bytes
            yield f"Storage pool {pool.name} is {percent} % full."


def _of_memory(situation: Situation) -> Iterator[str]:
    memory = situation.host.memory_bytes
    if memory and situation.running_memory_bytes > memory:
        percent = 100 * situation.running_memory_bytes // memory
        yield f"Its running guests may use {percent} % of its memory."


def _of_care(host: Host) -> Iterator[str]:
    if host.transport == Transport.TCP:
        yield (
            "Nothing on the connection is encrypted (transport tcp): "
            "use it on closed networks only."
        )
    if len(host.libvirt_version) > 0 and _version(host) < OLD_LIBVIRT:
        yield f"libvirt {host.libvirt_version} is old: some actions will be refused."


def _version(host: Host) -> tuple[int, ...]:
    parts = host.libvirt_version.split(".")[:2]
    return tuple(int(part) for part in parts if part.isdecimal())
