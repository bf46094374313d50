"""Whatever is asked, decided, made, lost and deleted: the ledger is the sum of it."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from guests import sizing
from guests.creation.plan import plan_of
from guests.models import Document, Guest
from hosts import columns
from hosts.models import Pool, Volume
from kvmweb.accounts.models import Member, Project, User
from kvmweb.accounts.services import Asker
from kvmweb.errors import Conflict, Invalid
from kvmweb.operations.ending import End, end
from kvmweb.operations.models import Operation
from portal.ledger.amounts import NOTHING, Amounts
from portal.ledger.charging import amounts_of
from portal.ledger.models import Charge
from portal.ledger.queries import usage
from portal.requests import resizing, services
from portal.requests.models import ApprovalRule, Request
from portal.requests.resizing import Size
from portal.requests.states import OPEN, Kind, State
from tests.guests.conftest import disk
from tests.guests.creation.conftest import volume_of
from tests.portal.requests.conftest import GIB, Api, paper

pytestmark = pytest.mark.usefixtures("kvm1", "small", "large", "redis_server")
FEW = settings(
    max_examples=6,
    stateful_step_count=20,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
PLACE = st.integers(0, 30)
FINE = frozenset({200, 201, 202, 403, 404, 409, 422})
Ended = Operation.State
FIRST = ["", "cancel", "reject", "approve", "approve succeeded", "approve failed"]


class Selfservice(RuleBasedStateMachine):
    """A project, somebody who asks, somebody who decides, and a host's side of it."""

    def __init__(self) -> None:
        super().__init__()
        self.undone = ExitStack()
        self.undone.enter_context(transaction.atomic())
        self.project = Project.objects.get(name="web")
        people = [User.objects.make(name, None, "user") for name in ("mia", "otto")]
        for person, role in zip(people, ("operator", "owner"), strict=True):
            Member.objects.create(project=self.project, user=person, role=role)
        self.mia, self.otto = people
        self.asks, self.decides = Api(self.mia), Api(self.otto)

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.undone.close()

    @initialize(decisions=st.lists(st.sampled_from(FIRST), min_size=4, max_size=4))
    def begin_with_some(self, decisions: list[str]) -> None:
        """Four requests, each decided and carried out, or not yet."""
        for name, decision in zip("abcd", decisions, strict=True):
            self._fine(self.asks.ask(name=name, flavor="small"))
            verb, _, how = decision.partition(" ")
            if row := Request.objects.filter(name=name).first():
                who = self.asks if verb == "cancel" else self.decides
                if verb:
                    self._fine(who.post(f"{row.pk}/{verb}/"))
            if how:
                self._end(Operation.objects.get(guest_name=name), Ended(how))

    @rule(name=st.sampled_from("abcde"), size=st.sampled_from(["small", "large"]))
    def ask(self, name: str, size: str) -> None:
        self._fine(self.asks.ask(name=name, flavor=size))

    @rule(place=PLACE, size=st.sampled_from(["small", "large"]))
    def change(self, place: int, size: str) -> None:
        if row := self._one(place):
            self._fine(self.asks.patch(f"{row.pk}/", flavor=size))

    @rule(place=PLACE, verb=st.sampled_from(["cancel", "retry"]))
    def steer(self, place: int, verb: str) -> None:
        if row := self._one(place):
            self._fine(self.asks.post(f"{row.pk}/{verb}/"))

    @rule(place=PLACE, less=st.sampled_from([{}, {"memory_bytes": GIB}, {"vcpus": 1}]))
    def approve(self, place: int, less: dict[str, int]) -> None:
        if row := self._one(place):
            self._fine(self.decides.post(f"{row.pk}/approve/", **less))

    @rule(place=PLACE)
    def reject(self, place: int) -> None:
        if row := self._one(place):
            self._fine(self.decides.post(f"{row.pk}/reject/"))

    @rule(on=st.booleans())
    def rule_comes_or_goes(self, *, on: bool) -> None:
        ApprovalRule.objects.all().delete()
        if on:
            ApprovalRule.objects.create(name="small ones", vcpus=1)

    @rule(place=PLACE, how=st.sampled_from(list(Ended)[2:]))
    def operation_ends(self, place: int, how: Ended) -> None:
        rows = list(Operation.objects.filter(state="queued").order_by("pk"))
        if not rows:
            return
        self._end(rows[place % len(rows)], how)

    @rule(place=PLACE, vcpus=st.integers(1, 6), disk_gib=st.sampled_from([0, 12, 45]))
    def ask_for_another_size(self, place: int, vcpus: int, disk_gib: int) -> None:
        guest = self._guest(place)
        if guest is None:
            return
        try:
            size = Size(vcpus, guest.memory_bytes, disk_gib * GIB)
            with transaction.atomic():
                services.ask_resize(guest, size, "", by=Asker(self.mia))
        except (Conflict, Invalid):
            return

    @rule(place=PLACE)
    def guest_is_deleted(self, place: int) -> None:
        guest = self._guest(place)
        busy = Operation.objects.filter(guest=guest.pk if guest else None)
        if guest is None or busy.filter(state="queued").exists():
            return
        row = Operation.objects.create(kind="guest.delete", guest=guest.pk)
        assert end(Operation.objects.filter(pk=row.pk), End(Ended.SUCCEEDED, "Gone."))
        Guest.objects.filter(pk=guest.pk).update(state="gone")

    @invariant()
    def ledger_is_the_sum_of_what_is_there(self) -> None:
        charged = {row.subject: row.amounts for row in Charge.objects.all()}
        assert charged == dict(self._owed())

    @invariant()
    def quota_is_kept(self) -> None:
        known = usage([self.project.pk])[self.project.pk]
        assert known.limits.exceeded(known.taken) == []

    @invariant()
    def what_is_carried_out_has_an_operation(self) -> None:
        for row in Request.objects.filter(state=State.PROVISIONING):
            assert Operation.objects.get(pk=row.operation).active

    def _owed(self) -> Iterator[tuple[str, Amounts]]:
        """What each thing takes up that is there or promised, from its own rows."""
        for row in Request.objects.filter(state__in=OPEN, kind=Kind.NEW):
            yield row.topic, row.amounts
        grown = {}
        for row in Request.objects.filter(state__in=OPEN, kind=Kind.RESIZE):
            guest = Guest.objects.get(pk=row.guest)
            more = resizing.growth(row, guest)
            if row.state == State.PENDING:
                yield row.topic, more
                continue
            grown[guest.pk] = more
            changing = Operation.objects.get(pk=row.operation).kind == "guest.change"
            if changing and more.disk_bytes:  # it grows after that, and is promised
                yield row.topic, Amounts(disk_bytes=more.disk_bytes)
                grown[guest.pk] -= Amounts(disk_bytes=more.disk_bytes)
        for guest in Guest.objects.exclude(state="gone"):
            size = amounts_of(sizing.settled(guest))
            yield f"guest:{guest.pk}", size + grown.get(guest.pk, NOTHING)

    def _end(self, operation: Operation, how: Ended) -> None:
        if how == Ended.SUCCEEDED:
            self._came_true(operation)
        row = Operation.objects.filter(pk=operation.pk)
        assert end(row, End(how, "So it ended."))

    def _came_true(self, operation: Operation) -> None:
        """What its host would say of it, and what is ours of it."""
        if operation.kind == "guest.change":
            told = operation.params["hardware"]
            Guest.objects.filter(pk=operation.guest).update(**told)
            return
        if operation.kind == "guest.disk-grow":
            size = operation.params["change"]["size_bytes"]
            path = operation.params["path"]
            Volume.objects.filter(path=path).update(capacity_bytes=size)
            return
        plan = plan_of(operation.params["plan"])
        disks = [disk(it.path, capacity_bytes=it.capacity_bytes) for it in plan.volumes]
        guest = Guest.objects.create(
            uuid=plan.blueprint.uuid,
            name=plan.blueprint.name,
            project=self.project,
            owner=self.mia,
            host_id=plan.host,
            state="shutoff",
            vcpus=plan.blueprint.vcpus,
            memory_bytes=plan.blueprint.memory_bytes,
            disks=columns.as_json(disks),
        )
        for it in plan.volumes:
            volume_of(Pool.objects.get(), it.name, capacity_bytes=it.capacity_bytes)
            Document.objects.create(guest=guest, xml=paper(guest.name, it.path))

    def _one(self, place: int) -> Request | None:
        rows = list(Request.objects.order_by("pk"))
        return rows[place % len(rows)] if rows else None

    def _guest(self, place: int) -> Guest | None:
        rows = Guest.objects.exclude(state="gone").select_related("project", "host")
        found = list(rows.order_by("pk"))
        return found[place % len(found)] if found else None

    def _fine(self, answer: Any) -> None:
        assert answer.status_code in FINE, answer.content


def test_the_ledger_equals_the_sum_of_what_exists(web: Project) -> None:
    run_state_machine_as_test(Selfservice, settings=FEW)
