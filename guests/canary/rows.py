"""Which canary is out, and what is left of others: what every part here asks."""

from guests.canary.models import Canary
from kvmweb.operations.models import Operation

RUN, TIDY = "canary.run", "canary.tidy"


def active() -> Operation | None:
    """The run that goes on now."""
    return Operation.objects.filter(kind=RUN, state__in=Operation.ACTIVE).first()


def left_behind() -> list[Canary]:
    """Canaries that some host may still know, and nobody flies any more."""
    going = Operation.objects.filter(kind=RUN, state__in=Operation.ACTIVE)
    rows = Canary.objects.exclude(hosts=[])
    return list(rows.exclude(operation__in=going.values("pk")))
