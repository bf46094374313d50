"""Lists, pages and the button that cancels: for who asked and who runs the fleet."""

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from guests.models import Guest
from kvmweb.accounts.models import AuditEntry
from kvmweb.operations import services
from kvmweb.operations.models import LogLine, Operation
from kvmweb.operations.registry import work
from kvmweb.operations.run import Run

pytestmark = pytest.mark.django_db


@work("test.seen", cancellable=True)
def _nothing(run: Run) -> None:
    """Never run here: there is no worker."""


@pytest.fixture
def theirs(admin: Any) -> Operation:
    """What an admin asked for."""
    return services.submit(
        "test.seen", by=admin, guest=uuid4(), guest_name="db-1", host=7, host_name="k"
    )


@pytest.fixture
def mine(user: Any) -> Operation:
    """What the user asked for."""
    return services.submit("test.seen", by=user, guest=uuid4(), guest_name="web-1")


def _ids(client: Client, query: str = "") -> set[str]:
    said = client.get(f"/api/v1/operations/{query}").json()
    assert said["count"] == len(said["items"])
    return {each["id"] for each in said["items"]}


def test_a_user_sees_their_own_and_those_on_their_guests(
    as_user: Client, as_operator: Client, user: Any, mine: Operation, theirs: Operation
) -> None:
    assert _ids(as_user) == {str(mine.pk)}
    assert _ids(as_operator) == {str(mine.pk), str(theirs.pk)}
    assert as_user.get(f"/api/v1/operations/{theirs.pk}/").status_code == 404
    Guest.objects.create(uuid=theirs.guest, name="db-1", state="running", owner=user)
    assert _ids(as_user) == {str(mine.pk), str(theirs.pk)}
    said = as_user.get(f"/api/v1/operations/{theirs.pk}/").json()
    assert (said["host"], said["host_name"]) == (None, "")  # not theirs to know


def test_it_is_found_by_what_it_is_about(
    as_operator: Client, mine: Operation, theirs: Operation
) -> None:
    assert _ids(as_operator, "?search=db-1") == {str(theirs.pk)}
    assert _ids(as_operator, "?host=7") == {str(theirs.pk)}
    assert _ids(as_operator, f"?guest={mine.guest}") == {str(mine.pk)}
    assert _ids(as_operator, "?state=running") == set()
    assert _ids(as_operator, "?state=active&kind=test.seen&ordering=-created_at")
    for wrong in ("?state=x", "?ordering=x", "?guest=x", "?limit=0", f"?host={2**70}"):
        assert as_operator.get(f"/api/v1/operations/{wrong}").status_code == 422


def test_the_list_costs_a_fixed_number_of_queries(
    as_operator: Client, admin: Any, django_assert_max_num_queries: Any
) -> None:
    for number in range(60):
        services.submit("test.seen", by=admin, guest_name=f"g{number}")
    with django_assert_max_num_queries(7):
        as_operator.get("/api/v1/operations/")
    with django_assert_max_num_queries(8):
        assert as_operator.get(reverse("operations")).status_code == 200


def test_it_can_be_cancelled_by_who_asked_and_by_operators(
    as_user: Client, as_operator: Client, user: Any, mine: Operation, theirs: Operation
) -> None:
    Guest.objects.create(uuid=theirs.guest, name="db-1", state="running", owner=user)
    refused = as_user.post(f"/api/v1/operations/{theirs.pk}/cancel/")
    assert refused.status_code == 403
    assert "anna" in refused.json()["detail"]
    for client, each in ((as_user, mine), (as_operator, theirs)):
        said = client.post(f"/api/v1/operations/{each.pk}/cancel/")
        assert said.status_code == 200
        assert said.json()["state"] == "cancelled"
    again = as_user.post(f"/api/v1/operations/{mine.pk}/cancel/")
    assert again.status_code == 409
    outcomes = AuditEntry.objects.filter(details__operation=str(mine.pk))
    assert sorted(outcomes.values_list("outcome", flat=True)) == [
        "accepted",
        "cancelled",
    ]


def test_its_page_shows_what_it_did(as_user: Client, mine: Operation) -> None:
    LogLine.objects.create(operation=mine, message="Looked <b>closely</b>.")
    Operation.objects.filter(pk=mine.pk).update(kind="guest.start")
    page = as_user.get(reverse("operation", args=[mine.pk]))
    assert page.status_code == 200
    assert b"Looked &lt;b&gt;closely&lt;/b&gt;." in page.content
    assert as_user.get(reverse("operations-drawer")).status_code == 200
    back = as_user.post(reverse("operation-cancel", args=[mine.pk]))
    assert back.status_code == 302
    mine.refresh_from_db()
    assert mine.state == "cancelled"


def test_a_group_ends_with_its_last_part(admin: Any) -> None:
    parent = services.group("test.group", by=admin, host=7, host_name="k")
    parts = [
        services.submit("test.seen", by=admin, guest_name=f"g{n}", parent=parent)
        for n in range(3)
    ]
    services.cancel(parts[0], by=admin)
    parent.refresh_from_db()
    assert parent.state == "running"
    services.cancel(parent, by=admin)
    parent.refresh_from_db()
    assert parent.state == "cancelled"
    rows = AuditEntry.objects.filter(details__operation=str(parent.pk))
    assert sorted(rows.values_list("outcome", flat=True)) == ["accepted", "cancelled"]
    assert not Operation.objects.filter(state__in=Operation.ACTIVE).exists()
