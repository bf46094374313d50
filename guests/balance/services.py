"""What a person can ask of balancing: a proposal, its run, rules, and the autopilot."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from guests.balance import looking
from guests.balance.balancing import Change, Proposal, propose
from guests.balance.models import Autopilot, PlacementRule
from guests.draining import services as convoys
from guests.draining.models import Convoy
from kvmweb.accounts import audit
from kvmweb.accounts.gate import Right, may
from kvmweb.accounts.models import User
from kvmweb.errors import AppError, Conflict, Invalid
from kvmweb.operations.models import Operation

Pair = tuple[str, int]  # a guest's UUID and the host it goes to
_LONGEST_S = 7 * 24 * 3600


def proposal(tag: str = "") -> Proposal:
    """What would help now; changes nothing. With a tag, only guests that have it move."""
    return propose(*looking.seen(tag))


def run(chosen: Collection[Pair], *, by: User, address: str = "") -> Operation:
    """Make those moves of the proposal that were chosen.

    Raises Conflict when it does not say the same any more, or guests are moved already.
    """
    changes = {(it.move.guest, it.move.host): it for it in proposal().changes}
    wanted = [changes[pair] for pair in chosen if pair in changes]
    if not wanted or len(wanted) < len(chosen):
        raise Conflict(
            "The proposal has changed meanwhile: a move that was chosen is none any more.",
            hint="Look at it again.",
        )
    return _begin(wanted, by=by, address=address, why="A person chose these moves.")


def under_way() -> Convoy | None:
    """The moves that are being made now, if any."""
    balancing = Convoy.Purpose.BALANCE
    return Convoy.objects.filter(purpose=balancing, ended_at=None).first()


def automatic(now: datetime) -> list[Operation]:
    """Run what was switched on and has held long enough; the operations begun."""
    begun = []
    for pilot in Autopilot.objects.filter(enabled=True).select_related("by"):
        operation = _steered(pilot, now)
        pilot.save(update_fields=["over_since", "ran_at", "said"])
        if operation is not None:
            begun.append(operation)
    return begun


@dataclass(frozen=True, slots=True)
class Course:
    """How far it runs by itself, as somebody wishes."""

    enabled: bool
    threshold_percent: int = 10
    hold_s: int = 600
    cool_down_s: int = 3600

    def __post_init__(self) -> None:
        """Raise Invalid naming each field that cannot be so."""
        errors = {}
        if not 1 <= self.threshold_percent <= 100:
            errors["threshold_percent"] = ["Give a number from 1 to 100."]
        for name in ("hold_s", "cool_down_s"):
            if not 0 <= getattr(self, name) <= _LONGEST_S:
                errors[name] = ["Give seconds, at most a week of them."]
        if errors:
            raise Invalid("It cannot run so by itself.", errors=errors)


def steer(tag: str, course: Course, *, by: User, address: str = "") -> Autopilot:
    """Let balancing run by itself for guests with this tag ("": for all), or not."""
    told = {
        "enabled": course.enabled,
        "threshold_percent": course.threshold_percent,
        "hold_s": course.hold_s,
        "cool_down_s": course.cool_down_s,
    }
    with transaction.atomic():
        pilot, _ = Autopilot.objects.update_or_create(
            tag=tag, defaults=told | {"by": by, "over_since": None, "said": ""}
        )
        _record("balance.steer", by, address, told | {"tag": tag})
    return pilot


def add_rule(rule: PlacementRule, *, by: User, address: str = "") -> PlacementRule:
    """Say where guests with a tag belong. Raises Invalid, and Conflict for a second one."""
    if rule.kind == PlacementRule.Kind.ON and not rule.host_tag:
        sentence = "Say the tag of the hosts they belong on."
        raise Invalid(sentence, errors={"host_tag": [sentence]})
    if rule.kind != PlacementRule.Kind.ON:
        rule.host_tag = ""
    try:
        with transaction.atomic():
            rule.save(force_insert=True)
            _record("placement.rule-add", by, address, {"rule": str(rule)})
    except IntegrityError:
        raise Conflict(f"There is such a rule for {rule.tag} already.") from None
    return rule


def remove_rule(rule: PlacementRule, *, by: User, address: str = "") -> None:
    """Ask it of nobody any more."""
    with transaction.atomic():
        _record("placement.rule-remove", by, address, {"rule": str(rule)})
        rule.delete()


def _begin(changes: Sequence[Change], *, by: User, address: str, why: str) -> Operation:
    with transaction.atomic():
        if under_way() is not None:
            raise Conflict(
                "Guests are being balanced already.", hint="Wait for the end of that."
            )
        moves = [it.move for it in changes]
        return convoys.balance(moves, by=by, address=address, why=why)


def _steered(pilot: Autopilot, now: datetime) -> Operation | None:
    """What it begins now, if anything; what it saw is said in its row."""
    if pilot.by is None or not may(pilot.by, Right.BALANCE):
        pilot.said = "Who switched it on may not balance any more."
        return None
    found = proposal(pilot.tag)
    gain = found.gain_percent
    if not found.changes or gain < pilot.threshold_percent:
        pilot.over_since, pilot.said = None, f"A gain of {gain:.0f} %: nothing to do."
        return None
    pilot.over_since = pilot.over_since or now
    held = now - pilot.over_since >= timedelta(seconds=pilot.hold_s)
    cool = timedelta(seconds=pilot.cool_down_s)
    if not held or (pilot.ran_at is not None and now - pilot.ran_at < cool):
        pilot.said = f"A gain of {gain:.0f} % is seen; it waits whether that lasts."
        return None
    try:
        why = f"By itself: a gain of {gain:.0f} % lasted {pilot.hold_s} s."
        operation = _begin(found.changes, by=pilot.by, address="", why=why)
    except AppError as error:
        pilot.said = str(error)
        return None
    pilot.over_since, pilot.ran_at, pilot.said = None, now, why
    return operation


def _record(action: str, by: User, address: str, details: dict[str, object]) -> None:
    audit.record(
        action,
        actor=by,
        target="balance",
        outcome="succeeded",
        address=address,
        details=details,
    )
