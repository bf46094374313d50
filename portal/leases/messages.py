"""What people are told of leases, and who."""

from collections.abc import Iterable
from datetime import datetime

from django.urls import reverse

from guests.models import Guest
from kvmweb.accounts.models import Member, Role, User
from kvmweb.operations.models import Operation
from portal.leases.models import Lease
from portal.telling.services import tell


def ending(lease: Lease, guest: Guest, now: datetime, stop_at: datetime) -> None:
    """It ends, or has ended and nobody said more."""
    when = _when(max(stop_at, lease.ends_at))
    over = "is over" if lease.ends_at <= now else f"ends on {_when(lease.ends_at)}"
    _tell(
        "lease.ending",
        lease,
        guest,
        title=f"The time of {guest.name} {over}",
        text=f"It is shut down on {when} unless somebody extends it. Then it is kept "
        f"for {lease.keeps_days} days, and deleted with its volumes after that.",
    )


def stopped(lease: Lease, guest: Guest) -> None:
    """It is being shut down."""
    _tell(
        "lease.stopped",
        lease,
        guest,
        title=f"{guest.name} is shut down: its time is over",
        text=f"Nothing is lost. Extend it and start it again, within "
        f"{lease.keeps_days} days.",
    )


def kept(lease: Lease, guest: Guest) -> None:
    """It is off, and its days have begun."""
    _tell(
        "lease.kept",
        lease,
        guest,
        title=f"{guest.name} is off, and kept until {_when(lease.keeps_until)}",
        text="After that it is deleted with its volumes. Extend it, or start it again, "
        "and it stays.",
    )


def warned(lease: Lease, guest: Guest, delete_at: datetime) -> None:
    """It is about to be deleted."""
    _tell(
        "lease.kept",
        lease,
        guest,
        title=f"{guest.name} is deleted on {_when(delete_at)}",
        text="With its volumes and its snapshots, for good. Extend it, or start it "
        "again, and it stays.",
    )


def spared(lease: Lease, guest: Guest) -> None:
    """It would be deleted, but it is protected: administrators may care."""
    tell(
        "lease.kept",
        admins(),
        title=f"{guest.name} stays: it is protected from deletion",
        text="Its time is over, and so are the days it was kept. It stays as it is until "
        "somebody takes its protection away, or extends it.",
        page=reverse("leases"),
        data=_data(lease),
    )


def held() -> None:
    """Nothing is done to leases until an administrator says so."""
    tell(
        "lease.held",
        admins(),
        title="Leases wait for an administrator",
        text="Nobody looked after them for a while. If this database was brought back "
        "from a copy, what was extended since is not in it. Look at the leases, then let "
        "them go on.",
        page=reverse("leases"),
    )


def extended(lease: Lease, guest: Guest, by: User | None) -> None:
    """It stays longer; who did it knows already."""
    others = [person for person in concerned(guest) if by is None or person.pk != by.pk]
    tell(
        "lease.extended",
        others,
        title=f"{guest.name} stays until {_when(lease.ends_at)}",
        text=f"{by.username if by else 'kvmweb'} extended it.",
        page=reverse("machine", args=[guest.pk]),
        data=_data(lease),
    )


def deleted(lease: Lease, guest: Guest, operation: Operation) -> None:
    """It is gone, with what."""
    volumes = [path.rpartition("/")[2] for path in operation.result.get("deleted", [])]
    with_them = f" with {', '.join(volumes)}" if volumes else ""
    tell(
        "lease.deleted",
        concerned(guest),
        title=f"{guest.name} was deleted",
        text=f"Its time was over, and so were the days it was kept. It was "
        f"deleted{with_them}.",
        page=reverse("machines"),
        data=_data(lease),
    )


def concerned(guest: Guest) -> list[User]:
    """Whose it is: its owner and the owners of its project, else the administrators."""
    found = {guest.owner.pk: guest.owner} if guest.owner else {}
    if guest.project_id is not None:
        owners = Member.objects.filter(
            project=guest.project_id, role=Member.Role.OWNER
        ).select_related("user")
        found |= {member.user_id: member.user for member in owners}
    return list(found.values()) or list(admins())


def admins() -> Iterable[User]:
    """Everybody who may do everything."""
    return User.objects.filter(role=Role.ADMIN, is_active=True)


def _tell(event: str, lease: Lease, guest: Guest, *, title: str, text: str) -> None:
    page = reverse("machine", args=[guest.pk])
    people = concerned(guest)
    tell(event, people, title=title, text=text, page=page, data=_data(lease))


def _data(lease: Lease) -> dict[str, object]:
    return {
        "guest": str(lease.guest),
        "name": lease.guest_name,
        "ends_at": _wire(lease.ends_at),
        "keeps_until": _wire(lease.keeps_until),
    }


def _wire(at: datetime | None) -> str | None:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ") if at else None


def _when(at: datetime | None) -> str:
    return at.strftime("%-d %B %Y, %H:%M UTC") if at else "an unknown day"
