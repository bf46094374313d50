"""API tokens: shown once, kept as a hash, read or write, ending."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.utils import timezone

from kvmweb.accounts.models import AuditEntry, Token, User

ByToken = Callable[[str], Client]
TokenOf = Callable[..., str]


def _make(client: Client, **body: Any) -> Any:
    return client.post("/api/v1/tokens/", {"name": "ci"} | body, "application/json")


def test_its_text_is_shown_once_and_kept_nowhere(as_user: Client) -> None:
    answer = _make(as_user)
    made = answer.json()
    assert answer.status_code == 201
    assert made["token"].startswith("kvw_")
    assert answer["Cache-Control"] == "no-store"
    (listed,) = as_user.get("/api/v1/tokens/").json()["items"]
    assert listed["id"] == made["id"]
    assert "token" not in listed
    row = Token.objects.get()
    assert made["token"] not in str(vars(row))
    assert row.prefix == made["token"][:12]
    assert made["token"] not in str(list(AuditEntry.objects.values()))


def test_it_opens_the_api_and_notes_its_use(
    user: User, user_token: str, by_token: ByToken
) -> None:
    assert by_token(user_token).get("/api/v1/me/").json()["username"] == "uwe"
    used = Token.objects.get().last_used_at
    assert used is not None
    by_token(user_token).get("/api/v1/me/")
    assert Token.objects.get().last_used_at == used  # at most once a minute


def test_it_needs_no_csrf_token(admin_token: str) -> None:
    client = Client(
        enforce_csrf_checks=True, headers={"Authorization": f"Bearer {admin_token}"}
    )
    assert _make(client).status_code == 201


def test_one_for_reading_reads_and_changes_nothing(
    admin_read_token: str, by_token: ByToken
) -> None:
    client = by_token(admin_read_token)
    assert client.get("/api/v1/users/").status_code == 200
    answer = _make(client)
    assert answer.status_code == 403
    assert answer.json()["detail"] == "This token may only read."
    assert Token.objects.count() == 1


def test_it_opens_no_page(user_token: str, by_token: ByToken) -> None:
    assert by_token(user_token).get("/account/").status_code == 302


@pytest.mark.parametrize(
    "columns",
    [
        {"expires_at": timezone.now() - timedelta(seconds=1)},
        {"revoked_at": timezone.now()},
    ],
    ids=["expired", "revoked"],
)
def test_it_is_refused_once_it_ended(
    user: User, token_of: TokenOf, by_token: ByToken, columns: dict[str, Any]
) -> None:
    answer = by_token(token_of(user, **columns)).get("/api/v1/me/")
    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"
    assert "Bearer" in answer["WWW-Authenticate"]


def test_a_wrong_one_does_not_fall_back_to_the_session(as_admin: Client) -> None:
    answer = as_admin.get("/api/v1/me/", headers={"Authorization": "Bearer kvw_no"})
    assert answer.status_code == 401


@pytest.mark.parametrize("text", ["", "é", "\x7f", "k" * 9000, "kvw_ ☃", "a b c"])
def test_nonsense_is_refused_politely(db: None, by_token: ByToken, text: str) -> None:
    sent = text.encode().decode("latin-1")
    assert by_token(sent).get("/api/v1/me/").status_code == 401


def test_it_ends_with_its_user(
    user: User, user_token: str, by_token: ByToken, as_admin: Client
) -> None:
    address = f"/api/v1/users/{user.pk}/"
    for active in (False, True):
        as_admin.patch(address, {"is_active": active}, "application/json")
        assert by_token(user_token).get("/api/v1/me/").status_code == 401


def test_it_is_revoked_by_its_owner_and_by_no_colleague(
    as_user: Client, as_operator: Client, by_token: ByToken
) -> None:
    made = _make(as_user).json()
    address = f"/api/v1/tokens/{made['id']}/"
    assert as_operator.get(address).status_code == 404
    assert as_operator.delete(address).status_code == 404
    assert by_token(made["token"]).get("/api/v1/me/").status_code == 200
    assert as_user.delete(address).status_code == 204
    assert by_token(made["token"]).get("/api/v1/me/").status_code == 401
    refused = AuditEntry.objects.filter(actor="olga", outcome="refused")
    assert {entry.target for entry in refused} == {f"token:{made['id']}"}
    actions = AuditEntry.objects.filter(actor="uwe").values_list("action", flat=True)
    assert set(actions) == {"token.make", "token.revoke"}


def test_who_manages_people_sees_and_revokes_those_of_others(
    as_user: Client, as_admin: Client, as_operator: Client, user: User
) -> None:
    made = _make(as_user).json()
    theirs = f"/api/v1/users/{user.pk}/tokens/"
    assert as_operator.get(theirs).status_code == 403
    listed = as_admin.get(theirs).json()["items"]
    assert [it["id"] for it in listed] == [made["id"]]
    assert "token" not in listed[0]
    page = f"/users/{user.pk}/edit/"
    assert listed[0]["prefix"] in as_admin.get(page).content.decode()
    gone = as_admin.post(f"/account/tokens/{made['id']}/revoke/")
    assert gone["Location"] == page
    entry = AuditEntry.objects.get(action="token.revoke")
    assert (entry.actor, entry.details["user"]) == ("anna", "uwe")


def test_one_made_by_another_does_not_outlive_it(
    user: User, token_of: TokenOf, by_token: ByToken
) -> None:
    end = timezone.now() + timedelta(days=1)
    made = _make(by_token(token_of(user, expires_at=end))).json()
    assert Token.objects.get(pk=made["id"]).expires_at == end


@pytest.mark.parametrize(
    "body",
    [
        {"expires_at": "2001-01-01T00:00:00Z"},
        {"expires_at": "9999-01-01T00:00:00Z"},
        {"expires_at": "2040-01-01T00:00:00"},
        {"expires_at": "2040-01-01"},
        {"expires_at": "0001-01-01T00:00:00+23:59"},
        {"expires_at": "4000000000"},
        {"expires_at": 1_900_000_000},
        {"days": 0},
        {"days": 10**30},
        {"scope": "root"},
        {"name": ""},
        {"name": "a\0b"},
        {"name": "x" * 101},
        {"surprise": 1},
    ],
)
def test_a_bad_wish_is_refused_with_a_sentence(
    as_user: Client, body: dict[str, Any]
) -> None:
    answer = _make(as_user, **body)
    assert answer.status_code == 422
    assert answer.json()["detail"]
    assert not Token.objects.exists()


def test_its_end_is_a_text_with_a_zone(as_user: Client) -> None:
    noon = (timezone.now() + timedelta(days=9)).replace(hour=12, microsecond=0)
    text = noon.isoformat().replace("T12", "T13").replace("+00:00", "+01:00")
    assert _make(as_user, expires_at=text).status_code == 201
    assert Token.objects.get().expires_at == noon
    for number in (int(noon.timestamp()), noon.timestamp(), str(int(noon.timestamp()))):
        refused = _make(as_user, expires_at=number)
        assert refused.status_code == 422, number
        assert "RFC 3339" in refused.json()["errors"]["expires_at"][0]


def test_its_end_is_said_once(as_user: Client) -> None:
    end = (timezone.now() + timedelta(days=9)).isoformat()
    refused = _make(as_user, days=5, expires_at=end)
    assert refused.status_code == 422
    assert refused.json()["errors"].keys() == {"days", "expires_at"}
    assert "Say one of them" in refused.json()["detail"]
    assert not Token.objects.exists()
    assert _make(as_user, days=5, expires_at=None).status_code == 201


def test_the_command_prints_the_token_and_nothing_else(
    admin: User, by_token: ByToken, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("create_token", "anna", "--scope", "read", "--days", "2")
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert by_token(said.strip()).get("/api/v1/me/").json()["token_scope"] == "read"
    with pytest.raises(CommandError, match="no active user nobody"):
        call_command("create_token", "nobody")


def test_the_page_makes_one_and_shows_it_once(as_user: Client) -> None:
    typed = {"name": "backup", "scope": "read", "days": "30"}
    page = as_user.post("/account/tokens/new/", typed)
    assert page.status_code == 200
    assert "kvw_" in page.content.decode()
    token = Token.objects.get()
    assert token.scope == "read"
    again = as_user.get("/account/").content.decode()
    assert token.prefix in again
    assert as_user.post(f"/account/tokens/{token.pk}/revoke/").status_code == 302
    assert not Token.objects.filter(revoked_at=None).exists()
