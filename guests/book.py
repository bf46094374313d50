"""One piece of news from a host being entered: who is where, what befell them.

Part of guests.facts, which alone uses it. Everything is read at once, decided here and
written at once, so that a thousand domains cost as many queries as one.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from django.utils import timezone

from guests import columns, history, revisions
from guests.columns import ACTIVE, Sighting
from guests.json import guests_json
from guests.models import Document, Guest, Happening, Twin
from guests.queries import MOVE
from hosts.columns import text
from hosts.models import Host
from kvmweb.live import news
from kvmweb.operations.models import Operation
from kvmweb.virt.types import DomainFacts, DomainState

_SEEN = (
    *("name", "state", "state_reason", "persistent", "autostart", "managed_save"),
    *("vcpus", "vcpus_max", "memory_bytes", "memory_max_bytes", "virt_type", "os"),
    *("firmware", "machine", "arch", "title", "description", "disks", "nics"),
    *("graphics", "addresses", "serial", "agent", "snapshots", "started_at"),
    *("problem", "xml_digest"),
)
_FACTS = (
    *_SEEN,
    *("host", "state_since", "known_state", "known_since", "seen_at", "uses"),
    "differs",
)


class Book:
    """The rows of these guests, locked, and what is about to be written of them."""

    def __init__(self, host: Host, uuids: set[UUID]) -> None:
        self.host = host
        self.now = timezone.now()
        self.changed: set[UUID] = set()
        self._uuids = uuids
        self._new: set[UUID] = set()
        self._rows = self._locked(uuids)
        self._twins: dict[UUID, dict[int, Twin]] = defaultdict(dict)
        twins = Twin.objects.filter(guest__in=uuids).select_related("host")
        for twin in twins.defer("xml", "inactive_xml"):
            self._twins[twin.guest_id][twin.host_id] = twin
        self._same: set[UUID] = set()
        self._told: set[UUID] = set()  # twins came, went or changed
        self._documents: dict[UUID, Document] = {}
        self._kept: list[Twin] = []
        self._dropped: list[Twin] = []
        self._happened: list[Happening] = []
        self._revised: dict[UUID, str] = {}

    def see(self, facts: DomainFacts, event: str) -> None:
        """The host has this domain, so."""
        row = self._row(facts.uuid)
        seen = columns.sighting(facts)
        if row.host_id in {None, self.host.pk} or row.state == DomainState.GONE:
            self._settle(row, self.host, seen, event)
        else:
            self._keep_twin(row, self.host, seen, seen.columns["state"])
        self.follow(row.pk)

    def miss(self, uuid: UUID, event: str) -> None:
        """The host has it no more; a twin becomes its home, else it is gone."""
        row = self._rows.get(uuid)
        if row is None or row.state == DomainState.GONE:
            return
        if row.host_id != self.host.pk:
            if twin := self._twins[uuid].get(self.host.pk):
                self._drop(twin)
            return
        if twin := _best(self._twins[uuid].values()):
            self._drop(twin)
            self._settle(row, twin.host, _sighting_of(twin), event)
            return
        self._happen(row, "gone", f"from {self.host.name}", event)
        row.state, row.state_reason, row.state_since = DomainState.GONE, "", self.now
        row.known_state, row.known_since, row.started_at = "", None, None
        self.changed.add(uuid)

    def follow(self, uuid: UUID) -> None:
        """Where it runs is its home, if it does not run where we took it to be."""
        row = self._rows.get(uuid)
        if row is None or row.state in ACTIVE:
            return
        twin = _best(t for t in self._twins[uuid].values() if _runs(t))
        if twin is None or row.host is None:
            return
        left, seen = row.host, _sighting_of(twin)
        self._drop(twin)
        if row.state != DomainState.GONE:
            before = _sighting_at_home(row, self._documents)
            self._keep_twin(row, left, before, row.state)
        self._settle(row, twin.host, seen, "")

    def write(self) -> None:
        """All of it, and the news of what changed."""
        Guest.objects.bulk_create(
            [self._rows[uuid] for uuid in self.changed],
            update_conflicts=True,
            unique_fields=["uuid"],
            update_fields=_FACTS,
        )
        if self._same:
            Guest.objects.filter(pk__in=self._same).update(seen_at=self.now)
        Document.objects.bulk_create(
            self._documents.values(),
            update_conflicts=True,
            unique_fields=["guest"],
            update_fields=["xml", "inactive_xml"],
        )
        self._write_twins()
        revisions.keep(self._revised, self._happened, self.now)
        announce(self.changed | self._told)

    def _locked(self, uuids: set[UUID]) -> dict[UUID, Guest]:
        """In the order of their ids, so that two watchers never wait for each other."""
        rows = (
            Guest.objects.select_for_update(of=("self",))
            .select_related("host")
            .filter(pk__in=uuids)
            .order_by("pk")
        )
        return {row.pk: row for row in rows}

    def _row(self, uuid: UUID) -> Guest:
        if uuid not in self._rows:
            self._begin()
        return self._rows[uuid]

    def _begin(self) -> None:
        """Rows for all that are new, or those another watcher just made."""
        missing = self._uuids - set(self._rows)
        Guest.objects.bulk_create(
            [Guest(pk=uuid, state=DomainState.GONE) for uuid in missing],
            ignore_conflicts=True,
        )
        self._rows |= self._locked(missing)
        self._new = {it for it in missing if self._rows[it].host_id is None}

    def _settle(self, row: Guest, host: Host, seen: Sighting, event: str) -> None:
        """This host is its home, and it is so there."""
        self._drop_if_kept(row, host)
        values = dict(seen.columns)
        if values["xml_digest"] != row.xml_digest:
            self._take_documents(row, seen, values)
        was = self._was(row)
        befell = history.happenings(was, values, host.name, event)
        for what, detail in befell:
            self._happen(row, what, detail)
        values |= _since(row, was, values, self.now, anew=bool(befell))
        values["host_id"] = host.pk
        if all(getattr(row, name) == value for name, value in values.items()):
            self._same.add(row.pk)
            return
        for name, value in values.items():
            setattr(row, name, value)
        row.host, row.seen_at = host, self.now
        self._new.discard(row.pk)
        self.changed.add(row.pk)

    def _take_documents(
        self, row: Guest, seen: Sighting, values: dict[str, Any]
    ) -> None:
        values |= columns.documented(seen)
        self._documents[row.pk] = Document(
            guest=row, xml=seen.xml, inactive_xml=seen.inactive_xml
        )
        undefined = row.persistent and not values["persistent"] and row.xml_digest
        if not undefined:  # what still runs of it is no new version
            self._revised[row.pk] = seen.inactive_xml or seen.xml

    def _was(self, row: Guest) -> history.Was:
        state = row.known_state if row.state == DomainState.UNKNOWN else row.state
        return history.Was(
            state="" if row.pk in self._new else state or row.state,
            name=row.name,
            managed_save=row.managed_save,
            started_at=row.started_at,
            host_name=row.host.name if row.host else "",
        )

    def _happen(self, row: Guest, *words: str) -> None:
        what, detail = words[0], " · ".join(filter(None, words[1:]))
        self._happened.append(
            Happening(guest=row, at=self.now, what=what[:64], detail=text(detail, 300))
        )

    def _keep_twin(self, row: Guest, host: Host, seen: Sighting, state: str) -> None:
        twin = self._twins[row.pk].get(host.pk) or Twin(guest=row, host=host)
        facts = dict(seen.columns)
        started: datetime | None = facts["started_at"]
        facts["started_at"] = started.isoformat() if started else None
        said = {
            "name": facts["name"],
            "state": state,
            "moving": seen.moving
            or (state not in ACTIVE and row.pk in self._under_way),
            "facts": facts,
        }
        if twin.pk and all(getattr(twin, key) == value for key, value in said.items()):
            return
        for key, value in said.items():
            setattr(twin, key, value)
        twin.seen_at = self.now
        twin.xml, twin.inactive_xml = seen.xml, seen.inactive_xml
        self._twins[row.pk][host.pk] = twin
        self._kept.append(twin)
        self._told.add(row.pk)

    @cached_property
    def _under_way(self) -> set[UUID | None]:
        """Which of them a move of ours takes along: it clears away what is left behind."""
        rows = Operation.objects.filter(
            guest__in=self._uuids, kind=MOVE, state__in=Operation.ACTIVE
        )
        return set(rows.values_list("guest", flat=True))

    def _drop_if_kept(self, row: Guest, host: Host) -> None:
        if twin := self._twins[row.pk].get(host.pk):
            self._drop(twin)

    def _drop(self, twin: Twin) -> None:
        del self._twins[twin.guest_id][twin.host_id]
        self._dropped.append(twin)
        self._told.add(twin.guest_id)

    def _write_twins(self) -> None:
        if self._dropped:
            gone = [twin.pk for twin in self._dropped if twin.pk]
            Twin.objects.filter(pk__in=gone).delete()
        for twin in self._kept:
            if self._twins[twin.guest_id].get(twin.host_id) is twin:
                twin.save()


def announce(uuids: set[UUID]) -> None:
    """Tell who listens how these guests are now."""
    if not uuids:
        return
    rows = Guest.objects.filter(pk__in=uuids).select_related("host", "owner", "project")
    batch: list[news.News] = []
    for data in guests_json(rows):
        if data["state"] == DomainState.GONE:
            removed = {name: data[name] for name in ("uuid", "owner", "project")}
            batch.append(("guests", "removed", removed))
        else:
            batch.append(("guests", "state", data))
        batch.append((f"guest:{data['uuid']}", "state", data))
    news.publish_many(batch)


def _since(
    row: Guest,
    was: history.Was,
    values: dict[str, Any],
    now: datetime,
    *,
    anew: bool,
) -> dict[str, Any]:
    """Since when it is in this state; a time of not knowing does not count."""
    since = row.state_since
    if values["state"] != was.state:
        since = now
        if was.state in {"", DomainState.GONE} and values["state"] in ACTIVE:
            since = values["started_at"] or now
        if values["state"] == DomainState.UNKNOWN:
            return {"state_since": now, "known_since": now}
    elif row.state == DomainState.UNKNOWN:
        since = row.known_since or now
    elif anew and values["started_at"] != row.started_at:
        since = now
    return {"state_since": since, "known_state": "", "known_since": None}


def _runs(twin: Twin) -> bool:
    return twin.state in ACTIVE and not twin.moving


def _best(twins: Iterable[Twin]) -> Twin | None:
    """Where it runs rather than where it does not, then where it was seen last."""
    return max(twins, key=lambda it: (_runs(it), it.seen_at, it.host_id), default=None)


def _sighting_of(twin: Twin) -> Sighting:
    values = dict(twin.facts)
    if twin.state == DomainState.UNKNOWN:  # its host does not answer
        values |= {"state": twin.state, "known_state": values["state"]}
    if values["started_at"]:
        values["started_at"] = datetime.fromisoformat(values["started_at"])
    return Sighting(values, twin.xml, twin.inactive_xml, moving=twin.moving)


def _sighting_at_home(row: Guest, fresh: dict[UUID, Document]) -> Sighting:
    """What its home says of it, to be kept beside the new home."""
    document = fresh.get(row.pk) or Document.objects.filter(pk=row.pk).first()
    values = {name: getattr(row, name) for name in _SEEN}
    if row.state == DomainState.UNKNOWN and row.known_state:
        values["state"] = row.known_state
    xml = document.xml if document else ""
    inactive_xml = document.inactive_xml if document else ""
    return Sighting(values, xml, inactive_xml, moving=False)
