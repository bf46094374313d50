"""What can be asked of the canary: to fly, when to fly by itself; and who looks after it."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from guests.canary.models import Canary, CanarySchedule
from guests.canary.rows import RUN, TIDY, active, left_behind
from hosts.models import Host
from kvmweb.accounts import audit
from kvmweb.accounts.models import User
from kvmweb.errors import Conflict, Invalid
from kvmweb.operations.models import Operation
from kvmweb.operations.services import submit

NAME = "Canary"
EXPIRES_S = 600
_LEFT = timedelta(seconds=30)  # so long what an ended run left is left alone
_KEPT = timedelta(
    days=1
)  # its UUID is known for so long: late news makes no guest of it
_NIGHT = timedelta(hours=20)


def run(*, by: User | None, address: str = "") -> Operation:
    """Have a canary fly every way between the hosts that are up.

    Raises Conflict when one flies already, or there are not two hosts.
    """
    hosts = Host.objects.filter(state=Host.State.UP, maintenance=False)
    ids = list(hosts.order_by("name").values_list("pk", flat=True))
    if len(ids) < 2:
        raise Conflict(
            "A canary needs two hosts that are up and not in maintenance.",
            hint="Add another host.",
        )
    with transaction.atomic():
        _locked()
        other = active()
        if other is not None:
            raise Conflict(
                "A canary is out already.",
                hint="Wait for its end, or cancel it.",
                operation=str(other.pk),
            )
        return submit(
            RUN,
            by=by,
            guest_name=NAME,
            params={"hosts": ids},
            address=address,
            expires_s=EXPIRES_S,
        )


def schedule(*, enabled: bool, hour: int, by: User, address: str = "") -> None:
    """Say whether it flies each night, and at which hour (UTC). Raises Invalid."""
    if not 0 <= hour <= 23:
        sentence = "An hour is a number from 0 to 23."
        raise Invalid(sentence, errors={"hour": [sentence]})
    with transaction.atomic():
        row = _locked()
        row.enabled, row.hour = enabled, hour
        row.save(update_fields=["enabled", "hour"])
        audit.record(
            "canary.schedule",
            actor=by,
            target="canary",
            outcome="succeeded",
            address=address,
            details={"enabled": enabled, "hour": hour},
        )


def look() -> None:
    """Begin what is due: tonight's flight, and what earlier ones had to leave."""
    _fly_at_night()
    Canary.objects.filter(hosts=[], made_at__lt=timezone.now() - _KEPT).delete()
    if _left() and not _busy():
        submit(TIDY, by=None, guest_name=NAME, expires_s=EXPIRES_S)


def _left() -> bool:
    """Whether something is left on a host that answers."""
    old = timezone.now() - _LEFT
    wanted = {pk for row in left_behind() if row.made_at < old for pk in row.hosts}
    return Host.objects.filter(pk__in=wanted, state=Host.State.UP).exists()


def _busy() -> bool:
    kinds = Operation.objects.filter(kind__in=(RUN, TIDY), state__in=Operation.ACTIVE)
    return kinds.exists()


def _fly_at_night() -> None:
    now = timezone.now()
    with transaction.atomic():
        row = _locked()
        flown = row.flown_at is not None and now - row.flown_at < _NIGHT
        if not row.enabled or now.hour != row.hour or flown:
            return
        try:
            run(by=None)
        except Conflict:
            return  # one is out, or there are not two hosts; asked again in a minute
        row.flown_at = now
        row.save(update_fields=["flown_at"])


def _locked() -> CanarySchedule:
    CanarySchedule.objects.get_or_create(pk=1)
    return CanarySchedule.objects.select_for_update().get(pk=1)
