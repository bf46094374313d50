"""Rehearsals and convoys as the API says them."""

from typing import Any

from guests.draining.models import Convoy, Home
from guests.draining.planning import Plan, Stuck
from guests.draining.services import Rehearsal


def rehearsal_json(found: Rehearsal) -> dict[str, Any]:
    """The plan to empty a host, whole."""
    plan = found.plan
    return {
        "moves": _moves(plan),
        "stuck": [_stuck(each) for each in plan.stuck],
        "off": {
            "moves": _moves(found.off),
            "stuck": [_stuck(each) for each in found.off.stuck],
        },
        "bytes": plan.bytes,
        "still_fits_without_one_more": plan.still_fits_without_one_more,
        "lost": [
            {
                "host": each.host,
                "host_name": each.host_name,
                "guests": each.guests,
                "stranded": list(each.stranded),
            }
            for each in plan.lost
        ],
    }


def convoy_json(convoy: Convoy) -> dict[str, Any]:
    """A convoy with all its steps."""
    return {
        "operation": str(convoy.pk),
        "purpose": convoy.purpose,
        "host": convoy.host_id,
        "paused": convoy.paused,
        "ended": convoy.ended_at is not None,
        "per_target": convoy.per_target,
        "per_source": convoy.per_source,
        "steps": [
            {
                "guest": str(step.guest),
                "guest_name": step.guest_name,
                "deed": step.deed,
                "state": step.state,
                "from_host": step.source,
                "to_host": step.target,
                "storage": step.storage,
                "estimate": step.estimate or None,
                "why": step.why,
                "attempts": step.attempts,
                "operation": str(step.operation) if step.operation else None,
                "message": step.sentence,
            }
            for step in convoy.steps.all()
        ],
    }


def home_json(home: Home) -> dict[str, Any]:
    """A guest that left when its host was emptied."""
    return {
        "guest": str(home.guest),
        "guest_name": home.guest_name,
        "host": home.host_id,
        "deed": home.deed,
    }


def _moves(plan: Plan) -> list[dict[str, Any]]:
    return [
        {
            "guest": move.guest,
            "guest_name": move.name,
            "to_host": move.host,
            "to_host_name": move.host_name,
            "storage": move.offer.storage,
            "estimate": move.offer.as_json(),
            "why": list(move.why),
        }
        for move in plan.moves
    ]


def _stuck(stuck: Stuck) -> dict[str, Any]:
    return {
        "guest": stuck.guest,
        "guest_name": stuck.name,
        "reasons": [
            {
                "host": reason.host,
                "code": reason.code,
                "message": reason.message,
                "fix": reason.fix,
            }
            for reason in stuck.reasons
        ],
    }
