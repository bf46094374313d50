"""The gate of rules: the only way from a URL to one."""

from guests.balance.models import PlacementRule
from kvmweb.accounts.gate import Right, need
from kvmweb.accounts.models import User
from kvmweb.errors import NotFound


def rule(user: User, rule_id: int, right: Right) -> PlacementRule:
    """This rule. Raises NotFound, Forbidden."""
    need(user, right)
    found = (
        PlacementRule.objects.filter(pk=rule_id).first() if rule_id < 2**63 else None
    )
    if found is None:
        raise NotFound("There is no such rule.")
    return found
