"""A lease goes its way by itself: said, stopped, kept, deleted; and back, until the last."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest

from guests.models import Guest
from hosts.models import Host, Pool, Volume
from kvmweb.accounts.models import AuditEntry, User
from kvmweb.errors import Conflict
from kvmweb.operations.models import Operation
from portal.leases import looking, services
from portal.leases.models import Lease, Looking
from tests.portal.leases.conftest import DAY, MINUTE, Clock, finish

Told = Callable[[User], list[str]]
HOUR = timedelta(hours=1)


def active() -> list[str]:
    """The kinds of what goes on."""
    rows = Operation.objects.filter(state__in=Operation.ACTIVE)
    return list(rows.values_list("kind", flat=True))


def kept(lease: Lease, clock: Clock) -> None:
    """Its end has come, and it is off."""
    clock.look(lease.ends_at - DAY)
    clock.look(lease.ends_at + MINUTE)
    finish("guest.shutdown")
    Guest.objects.update(state="shutoff")
    clock.look(lease.ends_at + 2 * MINUTE)
    lease.refresh_from_db()
    assert lease.state == "kept"


def test_the_whole_way(
    lease: Lease, web: Guest, clock: Clock, user: User, told: Told
) -> None:
    clock.look(lease.ends_at - 8 * DAY)
    assert told(user) == []
    clock.look(lease.ends_at - 7 * DAY)
    clock.look(lease.ends_at - 6 * DAY)
    assert len(told(user)) == 1
    assert told(user)[0].startswith("The time of web ends on")
    kept(lease, clock)
    assert [title.split(" ")[0:3] for title in told(user)[2:]] == [
        ["web", "is", "shut"],
        ["web", "is", "off,"],
    ]
    assert lease.keeps_until is not None
    clock.look(lease.keeps_until - 2 * DAY)
    assert len(told(user)) == 4
    clock.look(lease.keeps_until - DAY)
    assert told(user)[4].startswith("web is deleted on")
    clock.look(lease.keeps_until - MINUTE)
    assert active() == []
    clock.look(lease.keeps_until)
    assert active() == ["guest.delete"]
    asked = Operation.objects.get(kind="guest.delete")
    assert (asked.requested_by, asked.author) == (None, "")
    finish("guest.delete", deleted=["/images/web.qcow2"], kept=[])
    lease.refresh_from_db()
    assert lease.state == "ended"
    assert told(user)[5:] == ["web was deleted"]
    clock.look(lease.keeps_until + 9 * DAY)
    assert active() == []


def test_it_is_deleted_with_its_volumes_and_nothing_else(
    lease: Lease, web: Guest, host: Host, clock: Clock
) -> None:
    pool = Pool.objects.create(
        host=host, uuid=web.pk, name="default", type="dir", active=True,
        autostart=True, persistent=True, target="/images",
    )  # fmt: skip
    for name in ("web.qcow2", "base.qcow2"):
        path = f"/images/{name}"
        Volume.objects.create(pool=pool, name=name, key=path, path=path)
    plain = {
        "device": "disk", "bus": "virtio", "kind": "file", "pool": "", "volume": "",
        "format": "qcow2", "shareable": False, "capacity_bytes": 1,
    }  # fmt: skip
    web.disks = [
        plain | {"target": "vda", "path": "/images/web.qcow2", "readonly": False},
        plain | {"target": "vdb", "path": "/images/base.qcow2", "readonly": True},
    ]
    web.save()
    kept(lease, clock)
    assert lease.keeps_until is not None
    clock.look(lease.keeps_until - DAY)
    clock.look(lease.keeps_until)
    asked = Operation.objects.get(kind="guest.delete")
    assert asked.params["volumes"] == ["/images/web.qcow2"]


def test_its_plug_is_pulled_when_it_does_not_listen(
    lease: Lease, web: Guest, clock: Clock
) -> None:
    clock.look(lease.ends_at - DAY)
    clock.look(lease.ends_at)
    assert active() == ["guest.shutdown"]
    finish("guest.shutdown", "failed")
    clock.look(lease.ends_at + 9 * MINUTE)
    assert active() == []
    clock.look(lease.ends_at + 10 * MINUTE)
    assert active() == ["guest.force-off"]


def test_extended_while_kept_it_is_back(
    lease: Lease, web: Guest, clock: Clock, admin: User
) -> None:
    kept(lease, clock)
    back = services.extend(web.pk, 60, by=admin)
    assert (back.state, back.keeps_until) == ("running", None)
    assert back.ends_at > clock.now
    clock.look(clock.now + MINUTE)
    assert active() == []


def test_started_while_kept_it_is_in_force_and_said_again(
    lease: Lease, web: Guest, clock: Clock, user: User, told: Told
) -> None:
    kept(lease, clock)
    Guest.objects.update(state="running")
    before = len(told(user))
    clock.look(clock.now + 30 * DAY)
    lease.refresh_from_db()
    assert lease.state == "running"
    clock.look(clock.now + MINUTE)
    assert told(user)[before:] == ["The time of web is over"]
    clock.look(clock.now + 59 * MINUTE)
    assert active() == []
    clock.look(clock.now + MINUTE)
    assert active() == ["guest.shutdown"]


def test_what_is_protected_stays_and_admins_are_told(
    lease: Lease, web: Guest, clock: Clock, admin: User, told: Told
) -> None:
    kept(lease, clock)
    Guest.objects.update(protected=True)
    assert lease.keeps_until is not None
    for days in range(-2, 9):
        clock.look(lease.keeps_until + days * DAY)
    assert active() == []
    assert told(admin) == ["web stays: it is protected from deletion"]
    lease.refresh_from_db()
    assert lease.state == "kept"


def test_a_host_that_is_down_only_delays(
    lease: Lease, web: Guest, host: Host, clock: Clock
) -> None:
    clock.look(lease.ends_at - DAY)
    Host.objects.update(state="down")
    Guest.objects.update(state="unknown")
    for days in range(5):
        clock.look(lease.ends_at + days * DAY)
    lease.refresh_from_db()
    assert (lease.state, active()) == ("running", [])
    Host.objects.update(state="up")
    Guest.objects.update(state="running")
    clock.look(clock.now + MINUTE)
    assert active() == ["guest.shutdown"]


def test_a_guest_without_a_lease_is_left_alone(web: Guest, clock: Clock) -> None:
    for days in range(0, 400, 40):
        clock.look(clock.now + days * DAY)
    assert active() == []


def test_a_deletion_that_fails_is_tried_again_an_hour_later(
    lease: Lease, web: Guest, clock: Clock
) -> None:
    kept(lease, clock)
    assert lease.keeps_until is not None
    clock.look(lease.keeps_until - DAY)
    clock.look(lease.keeps_until)
    finish("guest.delete", "failed")
    clock.look(lease.keeps_until + 59 * MINUTE)
    assert active() == []
    clock.look(lease.keeps_until + HOUR)
    assert active() == ["guest.delete"]


def test_it_is_too_late_once_it_is_being_deleted(
    lease: Lease, web: Guest, clock: Clock, admin: User
) -> None:
    kept(lease, clock)
    assert lease.keeps_until is not None
    clock.look(lease.keeps_until - DAY)
    clock.look(lease.keeps_until)
    with pytest.raises(Conflict, match="being deleted"):
        services.extend(web.pk, 5, by=admin)


def test_with_the_database_of_yesterday_nothing_is_stopped_or_deleted(
    lease: Lease, web: Guest, clock: Clock, admin: User, told: Told
) -> None:
    clock.look(lease.ends_at - DAY)
    later = lease.ends_at + DAY  # these rows know nothing of what was extended since
    for minutes in range(0, 3000, 30):
        looking.look(later + timedelta(minutes=minutes / 100))
    assert active() == []
    assert Looking.objects.get().held
    assert told(admin) == ["Leases wait for an administrator"]
    services.go_on(by=admin)
    clock.look(later + HOUR)
    assert active() == []  # it is said once more, with an hour to answer
    clock.look(later + 2 * HOUR + MINUTE)
    assert active() == ["guest.shutdown"]
    assert AuditEntry.objects.filter(action="lease.go-on", actor="anna").exists()


def test_rows_of_an_hour_ago_delete_nothing_for_a_day(
    lease: Lease, web: Guest, clock: Clock, user: User, told: Told
) -> None:
    kept(lease, clock)
    assert lease.keeps_until is not None
    clock.look(lease.keeps_until - DAY)
    said = len(told(user))
    looking.look(lease.keeps_until - DAY + 45 * MINUTE)
    assert not Looking.objects.get().held
    assert len(told(user)) == said + 1
    for minutes in (0, 44):
        clock.look(lease.keeps_until + minutes * MINUTE)
        assert active() == []
    clock.look(lease.keeps_until + 45 * MINUTE)
    assert active() == ["guest.delete"]


def test_whoever_deletes_it_ends_its_lease(
    lease: Lease, web: Guest, admin: User, user: User, told: Told
) -> None:
    Operation.objects.create(
        kind="guest.delete", guest=web.pk, state="running", requested_by=admin
    )
    finish("guest.delete")
    lease.refresh_from_db()
    assert lease.state == "ended"
    assert told(user) == []


def test_a_look_at_many_costs_a_fixed_number_of_queries(
    lease: Lease,
    web: Guest,
    clock: Clock,
    django_assert_max_num_queries: Callable[..., object],
) -> None:
    for number in range(30):
        guest = Guest.objects.create(
            uuid=UUID(int=number + 1), name=f"g{number}", state="running"
        )
        services.begin(guest.pk, None, 90)
    clock.look(clock.now)
    with django_assert_max_num_queries(14):  # type: ignore[attr-defined]
        clock.look(clock.now + MINUTE)
