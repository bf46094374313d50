"""The rules that approve by themselves: asked, made, changed, removed."""

from collections.abc import Collection
from dataclasses import dataclass

from django.db import transaction

from kvmweb.accounts import audit
from kvmweb.accounts.models import Project
from kvmweb.accounts.services import Asker
from kvmweb.errors import Invalid
from portal.flavors.models import Flavor
from portal.requests import ruling
from portal.requests.models import ApprovalRule, Request
from portal.requests.ruling import Ruled
from portal.requests.states import Kind

NAME_MAX, MOST = 100, 2**53


@dataclass(frozen=True, slots=True)
class RuleWish:
    """A rule, as somebody wishes it; None and empty: anything."""

    name: str
    by_itself: bool = True
    enabled: bool = True
    project: Project | None = None
    kinds: tuple[str, ...] = ()
    flavors: tuple[int, ...] = ()
    vcpus: int | None = None
    memory_bytes: int | None = None
    disk_bytes: int | None = None
    lease_days: int | None = None

    def check(self) -> None:
        """Nothing. Raises Invalid naming each part that cannot be."""
        errors: dict[str, list[str]] = {}
        if not 0 < len(self.name.strip()) <= NAME_MAX:
            errors["name"] = [f"A name has 1 to {NAME_MAX} letters."]
        if set(self.kinds) - set(Kind):
            errors["kinds"] = [f"Requests are: {', '.join(Kind)}."]
        for name in ("vcpus", "memory_bytes", "disk_bytes", "lease_days"):
            most = getattr(self, name)
            if most is not None and not 1 <= most <= MOST:
                errors[name] = ["Give a number of at least 1, or nothing."]
        known = Flavor.objects.filter(pk__in=self.flavors).count()
        if known != len(set(self.flavors)):
            errors["flavors"] = ["There is no such flavor."]
        if errors:
            told = " ".join(each[0] for each in errors.values())
            raise Invalid(told, errors=errors)


def rules(projects: Collection[int] | None = None) -> list[Ruled]:
    """All that are in force, in their order. Two queries."""
    rows = ApprovalRule.objects.filter(enabled=True).prefetch_related("flavors")
    found = [row.ruled() for row in rows]
    if projects is None:
        return found
    return [it for it in found if it.project is None or it.project in projects]


def approving(request: Request) -> ApprovalRule | None:
    """The rule that approves this request by itself, if one does. Two queries or three."""
    found = ruling.by_itself(request.for_rules(), rules([request.project_id]))
    return ApprovalRule.objects.filter(pk=found.id).first() if found else None


def own_allowed(request: Request) -> bool:
    """Whether a rule says that approvers may approve it when it is their own."""
    return ruling.own_allowed(request.for_rules(), rules([request.project_id]))


def add(wish: RuleWish, *, by: Asker) -> ApprovalRule:
    """A new rule. Raises Invalid."""
    return _keep(ApprovalRule(), wish, "request-rule.add", by)


def edit(rule: ApprovalRule, wish: RuleWish, *, by: Asker) -> ApprovalRule:
    """Another wording of it; what it approved before stays approved. Raises Invalid."""
    return _keep(rule, wish, "request-rule.edit", by)


def remove(rule: ApprovalRule, *, by: Asker) -> None:
    """It approves nothing any more."""
    with transaction.atomic():
        _record("request-rule.remove", rule, by)
        rule.delete()


def _keep(rule: ApprovalRule, wish: RuleWish, action: str, by: Asker) -> ApprovalRule:
    wish.check()
    for name in RuleWish.__slots__:
        if name not in {"flavors", "kinds", "name"}:
            setattr(rule, name, getattr(wish, name))
    rule.name, rule.kinds = wish.name.strip(), sorted(set(wish.kinds))
    with transaction.atomic():
        rule.save()
        rule.flavors.set(wish.flavors)
        _record(action, rule, by)
    return rule


def _record(action: str, rule: ApprovalRule, by: Asker) -> None:
    told = ("by_itself", "enabled", "kinds", "vcpus", "memory_bytes", "disk_bytes")
    details: dict[str, object] = {name: getattr(rule, name) for name in told}
    details |= {
        "lease_days": rule.lease_days,
        "project": rule.project.name if rule.project else None,
        "flavors": [flavor.name for flavor in rule.flavors.all()] if rule.pk else [],
    }
    audit.record(
        action,
        actor=by.user,
        target=f"request-rule:{rule.pk}",
        outcome="succeeded",
        address=by.address,
        details={"name": rule.name, **details},
    )
