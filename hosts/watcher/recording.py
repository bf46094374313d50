"""News of a host into the rows: one transaction, and nothing of one guest harms another."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from uuid import UUID

from django.db import DataError, IntegrityError, ProgrammingError, transaction

from hosts import columns
from hosts.models import Host
from hosts.recorders import tell
from kvmweb.errors import AppError, Conflict
from kvmweb.virt.types import (
    DomainFacts,
    DomainSeen,
    DomainVanished,
    FullLook,
    Lost,
    NetworksSeen,
    News,
    StorageSeen,
    StrainSeen,
    SurroundingsSeen,
)

log = logging.getLogger(__name__)

# What a strange document can do to a recorder. A database that is locked or away is
# none of it: that goes up, and the same news is recorded again.
_SPOILED = (
    DataError,
    IntegrityError,
    ProgrammingError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    AppError,
)
_MANY = 1000
_FEW = ("name", "state", "state_since")  # what news of a single guest needs of its host
_said: set[tuple[object, ...]] = set()  # what was logged once already


class LeaseLost(Conflict):
    """Another watcher has the host now, or the host was removed."""


def record(host_id: int, watcher: str, news: Sequence[News]) -> None:
    """Give these news to the recorders, in order, in one transaction.

    Raises LeaseLost when the host is not this watcher's any more, and OperationalError
    when the database could not be written: nothing was recorded then.
    """
    with transaction.atomic():
        rows = Host.objects.select_for_update().filter(pk=host_id, watcher=watcher)
        if not any(isinstance(each, FullLook | Lost) for each in news):
            rows = rows.only(*_FEW)
        host = next(iter(rows.order_by()), None)
        if host is None:
            raise LeaseLost(f"Another watcher has host {host_id} now.")
        for each in news:
            _record(host, each)


def connecting(host_id: int, watcher: str) -> None:
    """Tell the recorders that the host is reached in a new way. Raises as `record`."""
    with transaction.atomic():
        host = Host.objects.filter(pk=host_id, watcher=watcher).first()
        if host is None:
            raise LeaseLost(f"Another watcher has host {host_id} now.")
        tell("connecting", host)


def settle(host_id: int) -> None:
    """Tell the recorders that nothing more comes now: they may sum up what came."""
    host = Host.objects.filter(pk=host_id).first()
    if host is not None:
        _guarded("its summary", host, partial(tell, "settled", host))


def _record(host: Host, news: News) -> None:
    match news:
        case Lost():
            tell("lost", host, news)
        case FullLook():
            _guarded("the host", host, partial(tell, "host", host, news.host))
            _whole(host, news)
        case _ if host.state == Host.State.UP:
            _record_part(host, news)


def _whole(host: Host, news: FullLook) -> None:
    if host.state != Host.State.UP:  # the same machine is here as another host
        reason = Lost(host.error, host.error_hint, Conflict.code)
        _guarded("its loss", host, partial(tell, "lost", host, reason))
        return
    if news.pools_known:
        _storage(host, StorageSeen(news.pools))
    if news.networks_known:
        _networks(host, NetworksSeen(news.networks))
    if news.around:
        _around(host, SurroundingsSeen(news.around))
    _look(host, news.domains)


def _record_part(host: Host, news: News) -> None:
    match news:
        case DomainSeen():
            _domain(host, news)
        case DomainVanished():
            act = partial(tell, "vanished", host, news.uuid, news.event)
            _guarded(news.uuid, host, act)
        case StorageSeen():
            _storage(host, news)
        case NetworksSeen():
            _networks(host, news)
        case SurroundingsSeen():
            _around(host, news)
        case StrainSeen():
            waits = partial(tell, "strain", host, news.guests)
            _guarded("how much its guests wait", host, waits)


def _storage(host: Host, news: StorageSeen) -> None:
    _guarded("its pools", host, partial(tell, "pools", host, news.pools))


def _networks(host: Host, news: NetworksSeen) -> None:
    _guarded("its networks", host, partial(tell, "networks", host, news.networks))


def _around(host: Host, news: SurroundingsSeen) -> None:
    seen = partial(tell, "surroundings", host, news.around)
    _guarded("what is around its guests", host, seen)


def _look(host: Host, domains: Sequence[DomainFacts]) -> None:
    """All domains at once; when one spoils that, it alone is recorded plainly."""
    whole = partial(tell, "look", host, domains, complete=True)
    if _guarded("all guests at once", host, whole):
        return
    sound = [
        domain
        if _guarded(
            domain.uuid, host, partial(tell, "look", host, (domain,), complete=False)
        )
        else _plain(domain)
        for domain in domains
    ]
    again = partial(tell, "look", host, sound, complete=True)
    _guarded("all guests, the odd ones plainly", host, again)


def _domain(host: Host, news: DomainSeen) -> None:
    seen = partial(tell, "domain", host, news.domain, news.event)
    if not _guarded(news.domain.uuid, host, seen):
        plainly = partial(tell, "domain", host, _plain(news.domain), news.event)
        _guarded((news.domain.uuid, "plainly"), host, plainly)


def _plain(domain: DomainFacts) -> DomainFacts:
    """The domain without what only its document says."""
    return replace(
        domain,
        name=columns.text(domain.name, 255) or str(domain.uuid),
        vcpus=0,
        vcpus_max=0,
        memory_bytes=0,
        memory_max_bytes=0,
        virt_type="",
        os="",
        machine="",
        title="",
        description="",
        disks=(),
        nics=(),
        graphics=(),
        xml="",
        inactive_xml="",
        problem="What its host says of it could not be stored; only its state is known.",
    )


def _guarded(about: object, host: Host, act: Callable[[], None]) -> bool:
    """Whether it was recorded; if not, its part is rolled back and logged once."""
    try:
        with transaction.atomic():
            act()
    except _SPOILED as error:
        sign = (host.pk, about if isinstance(about, UUID) else str(about), repr(error))
        if sign not in _said and len(_said) < _MANY:
            _said.add(sign)
            log.exception("Of %s, %s could not be recorded.", host, about)
        return False
    return True
