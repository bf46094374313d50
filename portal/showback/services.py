"""What can be asked of showback: say what an hour costs."""

from dataclasses import dataclass
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from kvmweb.accounts import audit
from kvmweb.accounts.services import Asker
from kvmweb.errors import Invalid
from portal.showback import spans
from portal.showback.models import Tariff


@dataclass(frozen=True, slots=True)
class Prices:
    """Of one hour of one vCPU, one GiB of memory, one GiB of disk; None: none is said."""

    vcpu: Decimal | None = None
    memory_gib: Decimal | None = None
    disk_gib: Decimal | None = None
    currency: str = ""


def set_prices(prices: Prices, *, by: Asker) -> Tariff:
    """What hours cost from now on; what is past keeps its price. Raises Invalid."""
    tariff = Tariff(
        vcpu=prices.vcpu,
        memory_gib=prices.memory_gib,
        disk_gib=prices.disk_gib,
        currency=prices.currency,
        by=by.user,
    )
    try:
        tariff.full_clean(exclude=["by"])
    except ValidationError as error:
        raise Invalid("These are no prices.", errors=error.message_dict) from error
    with transaction.atomic():
        tariff.save()
        audit.record(
            "tariff.set",
            actor=by.user,
            target="tariff",
            outcome="succeeded",
            address=by.address,
            details={
                "vcpu": _text(prices.vcpu),
                "memory_gib": _text(prices.memory_gib),
                "disk_gib": _text(prices.disk_gib),
                "currency": prices.currency,
            },
        )
    spans.follow(timezone.now())  # else within a minute by itself
    return tariff


def _text(price: Decimal | None) -> str:
    return "" if price is None else str(price)
