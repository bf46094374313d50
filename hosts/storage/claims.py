"""Which operation needs which volume: what one uses, no other may destroy meanwhile."""

from collections.abc import Sequence

from django.db.models import QuerySet

from hosts.models import Host
from hosts.storage.models import Claim
from hosts.storage.sharing import Sharing
from kvmweb.errors import Conflict
from kvmweb.operations.models import Operation
from kvmweb.operations.registry import label_of


def claim(
    operation: Operation, host: Host, paths: Sequence[str], *, destroys: bool
) -> None:
    """Say what the operation uses, or destroys (changes, deletes), until it ends.

    Call it in the transaction that submits. Raises Conflict naming the other operation
    when one of the two destroys what both need.
    """
    sharing = Sharing(host, paths)
    # One at a time on a storage: two claims must see each other.
    list(Host.objects.select_for_update().filter(pk__in=sharing.ids).order_by("pk"))
    for other in _claims(sharing.ids, paths).exclude(operation=operation):
        if destroys or other.destroys:
            raise _taken(other)
    Claim.objects.bulk_create(
        Claim(operation=operation, host=host, path=path, destroys=destroys)
        for path in dict.fromkeys(paths)
    )


def need_unclaimed(host: Host, paths: Sequence[str]) -> None:
    """Nothing. Raises Conflict when an operation under way needs one of them."""
    for other in _claims(Sharing(host, paths).ids, paths):
        raise _taken(other)


def _claims(hosts: set[int], paths: Sequence[str]) -> QuerySet[Claim]:
    rows = Claim.objects.filter(host__in=hosts, path__in=paths)
    return rows.filter(operation__state__in=Operation.ACTIVE).select_related(
        "operation"
    )


def _taken(other: Claim) -> Conflict:
    operation = other.operation
    return Conflict(
        f"{other.path} is needed by “{label_of(operation.kind)}” of "
        f"{operation.subject}, which is {operation.state} (operation {operation.pk}).",
        hint="Wait for its end, or cancel it.",
        operation=str(operation.pk),
    )
