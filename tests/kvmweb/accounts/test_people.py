"""Users: added, changed and removed by administrators, never so that nobody is left."""

from typing import Any

import pytest
from django.test import Client

from kvmweb.accounts import services
from kvmweb.accounts.models import AuditEntry, User
from tests.conftest import PASSWORD

GOOD = {"username": "ben", "password": "seven green bottles", "role": "operator"}


def _send(client: Client, method: str, path: str, body: Any) -> Any:
    ask = getattr(client, method)
    return ask(f"/api/v1/{path}", body, "application/json")


def test_an_administrator_adds_somebody_who_can_sign_in(as_admin: Client) -> None:
    answer = _send(as_admin, "post", "users/", GOOD)
    assert answer.status_code == 201
    assert answer.json()["role"] == "operator"
    assert "password" not in answer.json()
    client = Client()
    assert client.login(username="ben", password=GOOD["password"])
    entry = AuditEntry.objects.get(action="user.add")
    assert (entry.actor, entry.details["username"]) == ("anna", "ben")
    assert GOOD["password"] not in str(entry.details)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"username": "Ben"}, "username"),
        ({"username": "ben\n"}, "username"),
        ({"username": "-ben"}, "username"),
        ({"username": "anna"}, "username"),
        ({"password": "short"}, "password"),
        ({"password": "password1234"}, "password"),
        ({"role": "root"}, "role"),
        ({"email": "no address"}, "email"),
        ({"name": "x" * 151}, "name"),
        ({"name": "\ud800"}, None),
    ],
)
def test_a_bad_field_is_named(
    as_admin: Client, change: dict[str, str], field: str | None
) -> None:
    answer = _send(as_admin, "post", "users/", GOOD | change)
    assert answer.status_code == 422
    if field:
        assert list(answer.json()["errors"]) == [field]
    assert User.objects.count() == 1


def test_lists_have_pages_search_and_order(as_admin: Client, user: User) -> None:
    User.objects.make("bob", None)
    names = [
        [
            item["username"]
            for item in as_admin.get(f"/api/v1/users/{q}").json()["items"]
        ]
        for q in ("", "?limit=1&offset=1", "?search=b", "?ordering=-username")
    ]
    assert names == [["anna", "bob", "uwe"], ["bob"], ["bob"], ["uwe", "bob", "anna"]]
    wrong = as_admin.get("/api/v1/users/?ordering=password")
    assert wrong.status_code == 422
    assert "ordering" in wrong.json()["errors"]
    assert as_admin.get("/api/v1/users/?limit=501").status_code == 422


def test_nobody_removes_or_demotes_themselves(as_admin: Client, admin: User) -> None:
    User.objects.make("second", PASSWORD, "admin")
    path = f"users/{admin.pk}/"
    assert _send(as_admin, "patch", path, {"role": "user"}).status_code == 403
    assert _send(as_admin, "patch", path, {"is_active": False}).status_code == 403
    assert _send(as_admin, "delete", path, None).status_code == 403
    assert _send(as_admin, "patch", path, {"name": "Anna"}).status_code == 200


def test_the_last_administrator_stays(admin: User) -> None:
    other = User.objects.make("second", PASSWORD, "admin")
    by = services.Asker(other)
    User.objects.filter(pk=other.pk).update(is_active=False)
    for change in (
        lambda: services.delete(admin, by=by),
        lambda: services.edit(admin, services.Changes(role="user"), by=by),
        lambda: services.edit(admin, services.Changes(is_active=False), by=by),
    ):
        with pytest.raises(services.Conflict, match="the last administrator"):
            change()
    assert User.objects.get(pk=admin.pk).role == "admin"


def test_a_new_role_holds_at_once(
    as_admin: Client, as_operator: Client, operator: User
) -> None:
    assert as_operator.get("/api/v1/users/").status_code == 403
    _send(as_admin, "patch", f"users/{operator.pk}/", {"role": "admin"})
    assert as_operator.get("/api/v1/users/").status_code == 200


def test_who_keeps_connections_is_told_when_rights_change(
    as_admin: Client, user: User, django_capture_on_commit_callbacks: Any
) -> None:
    told: list[int] = []
    services.when_rights_change(told.append)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            _send(as_admin, "patch", f"users/{user.pk}/", {"role": "operator"})
    finally:
        services._listeners.remove(told.append)
    assert told == [user.pk]


def test_a_removed_user_leaves_the_record_of_what_they_did(
    as_admin: Client, as_user: Client, user: User
) -> None:
    as_user.post("/logout/")
    assert _send(as_admin, "delete", f"users/{user.pk}/", None).status_code == 204
    assert AuditEntry.objects.filter(actor="uwe", action="sign-out").exists()
    assert as_admin.get(f"/api/v1/users/{user.pk}/").status_code == 404


def test_a_new_password_ends_the_other_sessions(as_user: Client, user: User) -> None:
    other = Client()
    other.force_login(user)
    new = "nine purple kettles"
    answer = as_user.post("/account/password/", {"old": PASSWORD, "password": new})
    assert answer.status_code == 302
    assert as_user.get("/api/v1/me/").status_code == 200
    assert other.get("/api/v1/me/").status_code == 401
    assert Client().login(username="uwe", password=new)


def test_a_new_password_needs_the_old_one(as_user: Client) -> None:
    typed = {"old": "a guess", "password": "nine purple kettles"}
    answer = as_user.post("/account/password/", typed)
    assert answer.status_code == 422
    assert "This is not your password." in answer.content.decode()
    assert AuditEntry.objects.filter(action="user.password", outcome="failed").exists()


def test_the_pages_do_the_same(as_admin: Client) -> None:
    typed = GOOD | {"is_active": "on", "name": "", "email": ""}
    assert as_admin.post("/users/new/", typed)["Location"] == "/users/"
    ben = User.objects.get(username="ben")
    assert "ben" in as_admin.get("/users/").content.decode()
    edited = typed | {"role": "user", "password": ""}
    assert as_admin.post(f"/users/{ben.pk}/edit/", edited).status_code == 302
    ben.refresh_from_db()
    assert ben.role == "user"
    assert ben.check_password(GOOD["password"])
    wrong = as_admin.post("/users/new/", typed | {"username": "Not This"})
    assert wrong.status_code == 422
    assert "Use lower-case letters" in wrong.content.decode()
    assert as_admin.post(f"/users/{ben.pk}/delete/").status_code == 302
    assert not User.objects.filter(username="ben").exists()


def test_me_says_what_one_may(as_user: Client, as_operator: Client) -> None:
    assert "see-hosts" not in as_user.get("/api/v1/me/").json()["rights"]
    assert "see-hosts" in as_operator.get("/api/v1/me/").json()["rights"]
