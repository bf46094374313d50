"""What hosts said of how their guests fare, stored."""

from collections.abc import Sequence

from django.utils import timezone

from guests.balance.models import Strain
from hosts.models import Host
from hosts.recorders import recorder
from kvmweb.virt.types import GuestStrain


@recorder("strain")
def record_strain(_host: Host, seen: Sequence[GuestStrain]) -> None:
    """How much each guest waits for CPUs, as just measured."""
    now = timezone.now()
    Strain.objects.bulk_create(
        [
            Strain(
                guest=each.uuid,
                delay_percent=each.delay_percent,
                wait_percent=each.wait_percent,
                at=now,
            )
            for each in seen
        ],
        update_conflicts=True,
        unique_fields=["guest"],
        update_fields=["delay_percent", "wait_percent", "at"],
    )
