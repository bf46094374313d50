"""Another size for a guest, approved by somebody who decides about it."""

from django.db import transaction

from guests import charging
from guests.hardware import checks
from guests.hardware.wishes import NOW, Hardware
from guests.models import Guest
from guests.services import need_changeable, submit_for
from kvmweb.accounts.models import User
from kvmweb.operations.models import Operation


def order(
    guest: Guest,
    vcpus: int,
    memory_bytes: int,
    *,
    by: User,
    address: str = "",
    granted: str,
) -> Operation:
    """Give it the size that was approved ("request:7"), whatever rights `by` has.

    Now where its host can, else at its next start. Raises Invalid for a size it cannot
    have, Conflict when it cannot be changed now or its quota does not allow it.
    """
    wish = Hardware(vcpus=vcpus, memory_bytes=memory_bytes)
    need_changeable(guest, by)
    params = checks.possible(guest, wish) | {"when": NOW, "granted": granted}
    more = charging.Size(vcpus - guest.vcpus, memory_bytes - guest.memory_bytes)
    with transaction.atomic():
        if more != charging.Size():
            charging.growing(guest, more)
        return submit_for("guest.change", guest, by, address, params)
