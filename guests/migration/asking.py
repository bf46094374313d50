"""What a person can ask before a move: that both hosts be asked now."""

from collections.abc import Collection

from guests import services
from guests.models import Guest
from hosts.models import Host
from kvmweb.accounts.models import User
from kvmweb.errors import Conflict
from kvmweb.operations.models import Operation
from kvmweb.operations.services import submit

KIND = "guest.check-move"
EXPIRES_S = 300


def check_now(
    guest: Guest, hosts: Collection[Host] = (), *, by: User, address: str = ""
) -> Operation:
    """Ask the guest's host and these others, or all that are up; it locks nothing.

    Raises Conflict when the guest's host cannot be asked, or no other one.
    """
    services.need_there(guest, by)
    wanted = [host for host in hosts or _others(guest) if host.pk != guest.host_id]
    if not wanted:
        raise Conflict(f"There is no other host that {guest.name} could move to.")
    for host in hosts:
        if host.state != Host.State.UP:
            raise Conflict(f"{host.name} does not answer now.")
    return submit(
        KIND,
        by=by,
        guest_name=guest.name,
        host=guest.host_id,
        host_name=guest.host.name if guest.host else "",
        params={"guest": str(guest.pk), "hosts": [host.pk for host in wanted]},
        address=address,
        expires_s=EXPIRES_S,
    )


def under_way(guest: Guest) -> Operation | None:
    """The asking that goes on now."""
    active = Operation.objects.filter(kind=KIND, state__in=Operation.ACTIVE)
    return active.filter(params__guest=str(guest.pk)).first()


def _others(guest: Guest) -> list[Host]:
    rows = Host.objects.filter(state=Host.State.UP).order_by("name")
    return [host for host in rows if host.pk != guest.host_id]
