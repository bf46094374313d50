"""The audit record: everything is in it once, and nobody changes it."""

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client

from kvmweb.accounts import audit
from kvmweb.accounts.models import AuditEntry, User
from kvmweb.errors import Forbidden


@pytest.fixture
def entry(db: None) -> AuditEntry:
    return audit.record("test.thing", actor="somebody", outcome="succeeded")


def test_our_own_code_cannot_change_or_delete_it(entry: AuditEntry) -> None:
    for forbidden in (
        entry.save,
        entry.delete,
        AuditEntry.objects.all().delete,
        lambda: AuditEntry.objects.update(actor="nobody"),
        lambda: AuditEntry.objects.bulk_update([entry], ["actor"]),
    ):
        with pytest.raises(Forbidden):
            forbidden()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE accounts_auditentry SET actor = 'nobody'",
        "DELETE FROM accounts_auditentry",
    ],
)
def test_the_database_itself_refuses(entry: AuditEntry, statement: str) -> None:
    with (
        pytest.raises(DatabaseError, match="audit record is never"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
    assert AuditEntry.objects.get().actor == "somebody"


def test_it_is_read_by_administrators_with_filters(
    as_admin: Client, as_operator: Client
) -> None:
    audit.record("guest.start", actor="ben", outcome="accepted", target="guest:1")
    audit.record("guest.stop", actor="ann", outcome="failed", target="guest:1")
    for query, count in (
        ("", 2),
        ("?actor=ben", 1),
        ("?action=guest.", 2),
        ("?action=guest.stop&actor=ben", 0),
        ("?outcome=failed", 1),
        ("?target=guest:1&limit=1", 2),
        ("?search=STOP", 1),
    ):
        answer = as_admin.get(f"/api/v1/audit/{query}").json()
        assert answer["count"] == count, query
    page = as_admin.get("/audit/?actor=ben")
    assert page.status_code == 200
    assert "guest.start" in page.content.decode()
    assert as_operator.get("/api/v1/audit/").status_code == 403
    assert as_operator.get("/audit/").status_code == 403


def test_a_refusal_is_in_it(as_user: Client, user: User) -> None:
    as_user.get("/users/")
    as_user.delete(f"/api/v1/users/{user.pk}/")
    rows = AuditEntry.objects.filter(actor="uwe", outcome="refused").order_by("id")
    assert [(row.action, row.target) for row in rows] == [
        ("GET users", "/users/"),
        ("DELETE user", f"/api/v1/users/{user.pk}/"),
    ]


def test_refusals_are_no_flood(as_user: Client, anonymous: Client) -> None:
    for _ in range(audit.REFUSALS_A_MINUTE + 20):
        assert as_user.get("/api/v1/users/").status_code == 403
        assert anonymous.get("/api/v1/me/").status_code == 401
    for actor in ("uwe", audit.NOBODY):
        rows = AuditEntry.objects.filter(actor=actor)
        assert rows.count() == audit.REFUSALS_A_MINUTE
        assert "more" in rows.order_by("-id")[0].details


def test_hostile_texts_are_kept_as_text(db: None) -> None:
    audit.record("x" * 999, actor="a\0\ud800" * 99, target="\0", outcome="refused" * 9)
    row = AuditEntry.objects.get()
    assert "\0" not in row.actor
    assert len(row.action) == 64
