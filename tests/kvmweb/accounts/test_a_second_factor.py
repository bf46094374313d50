"""A second factor: set up, asked for, lost, demanded."""

import re
import time
from datetime import timedelta
from typing import Any

import pyotp
import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from kvmweb.accounts.models import AuditEntry, SignInFailure, User
from kvmweb.accounts.second.models import App, Passkey, RecoveryCode
from kvmweb.accounts.sessions.models import Visit
from tests.conftest import PASSWORD

WRONG = "This code is wrong, or was used already."
_CODE = re.compile(r"<li>([a-z0-9]{4}(?:-[a-z0-9]{4}){3})</li>")


def _sign_in(client: Client, username: str = "uwe", **more: str) -> Any:
    typed = {"username": username, "password": PASSWORD, **more}
    return client.post("/login/", typed)


def _offered(page: Any) -> tuple[str, str]:
    """The secret an app is offered, and what the form sends back."""
    text = page.content.decode()
    secret = re.search(r'id="secret"[^>]* value="([A-Z2-7]+)"', text)
    sealed = re.search(r'name="sealed" value="([^"]+)"', text)
    assert secret
    assert sealed
    return secret[1], sealed[1]


def _code(secret: str, *, later_s: int = 0) -> str:
    return pyotp.TOTP(secret).at(int(time.time()) + later_s)


def _set_up(client: Client) -> tuple[str, list[str]]:
    """The secret of a new app, and the recovery codes that were shown."""
    secret, sealed = _offered(client.get("/account/second/app/"))
    typed = {"sealed": sealed, "code": _code(secret, later_s=-30)}
    shown = client.post("/account/second/app/", typed)
    assert shown.status_code == 200
    return secret, _CODE.findall(shown.content.decode())


@pytest.fixture
def secured(user: User) -> tuple[str, list[str]]:
    """Uwe has an app; its secret and the recovery codes."""
    client = Client()
    _sign_in(client)
    return _set_up(client)


def _known(client: Client) -> bool:
    return client.get("/api/v1/me/").status_code == 200


def test_after_the_password_nobody_is_known_until_the_code_is_right(
    secured: tuple[str, list[str]],
) -> None:
    client = Client()
    answer = _sign_in(client, next="/account/")
    assert (answer.status_code, answer["Location"]) == (302, "/login/second/")
    for page in ("/", "/guests/", "/account/", "/account/second/app/"):
        assert client.get(page)["Location"].startswith("/login/?next=")
    assert not _known(client)
    assert Visit.objects.get(pk=client.session.session_key).user is None
    wrong = client.post("/login/second/", {"code": "000000"})
    assert wrong.status_code == 422
    assert WRONG in wrong.content.decode()
    right = client.post("/login/second/", {"code": _code(secured[0])})
    assert (right.status_code, right["Location"]) == (302, "/account/")
    assert _known(client)
    how = AuditEntry.objects.filter(action="sign-in", outcome="succeeded")
    assert how.order_by("-id")[0].details == {"how": "password, app"}
    assert AuditEntry.objects.filter(action="sign-in.second", outcome="failed").count()


def test_a_code_is_good_once_and_so_is_one_seen_over_the_shoulder(
    secured: tuple[str, list[str]],
) -> None:
    code = _code(secured[0])
    answers = []
    for _ in range(2):
        client = Client()
        _sign_in(client)
        answers.append(client.post("/login/second/", {"code": code}).status_code)
    assert answers == [302, 422]


@pytest.mark.usefixtures("no_time_passes")
def test_guessing_codes_is_slow_and_the_password_does_not_make_it_quick(
    secured: tuple[str, list[str]],
) -> None:
    client = Client()
    statuses = []
    for _ in range(7):
        _sign_in(client)  # a right password forgives no wrong code
        statuses.append(client.post("/login/second/", {"code": "123"}).status_code)
    assert statuses[:5] == [422] * 5
    assert statuses[5:] == [429] * 2
    SignInFailure.objects.update(at=timezone.now() - timedelta(hours=2))
    _sign_in(client)
    right = client.post("/login/second/", {"code": _code(secured[0])})
    assert right.status_code == 302


def test_the_second_step_cannot_be_taken_late_or_after_a_new_password(
    secured: tuple[str, list[str]], user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    late, changed = Client(), Client()
    _sign_in(late)
    _sign_in(changed)
    kept = late.session
    kept["half"] = kept["half"] | {"at": time.time() - 601}
    kept.save()
    user.set_password("another long word")
    user.save()
    for client in (late, changed):
        answer = client.post("/login/second/", {"code": _code(secured[0])})
        assert answer["Location"] == "/login/"
        assert not _known(client)


def test_a_recovery_code_opens_once_however_it_is_typed(
    secured: tuple[str, list[str]],
) -> None:
    codes = secured[1]
    assert len(codes) == 10
    statuses = []
    for typed in (codes[0].upper().replace("-", " "), codes[0], codes[1]):
        client = Client()
        _sign_in(client)
        statuses.append(client.post("/login/second/", {"code": typed}).status_code)
    assert statuses == [302, 422, 302]
    assert RecoveryCode.objects.filter(used_at=None).count() == 8


def test_nothing_of_it_can_be_read_in_the_database(
    secured: tuple[str, list[str]],
) -> None:
    secret, codes = secured
    kept = str(list(App.objects.values())) + str(list(RecoveryCode.objects.values()))
    kept += str(list(Visit.objects.values())) + str(list(AuditEntry.objects.values()))
    for text in (secret, *codes):
        assert text not in kept


def test_changing_it_asks_for_the_password_again_after_a_while(user: User) -> None:
    client = Client()
    _sign_in(client)
    kept = client.session
    kept["confirmed_at"] = time.time() - 16 * 60
    kept.save()
    page = client.get("/account/second/app/")
    assert page["Location"] == "/account/confirm/?next=%2Faccount%2Fsecond%2Fapp%2F"
    for address in ("app/remove/", "recovery/", "passkeys/1/remove/"):
        asked = client.post(f"/account/second/{address}")
        assert asked["Location"].startswith("/account/confirm/")
    wrong = client.post("/account/confirm/", {"password": "not this one"})
    assert wrong.status_code == 422
    typed = {"password": PASSWORD, "next": "/account/second/app/"}
    assert client.post("/account/confirm/", typed)["Location"] == typed["next"]
    _set_up(client)


def test_it_wants_to_see_a_code_before_it_believes_in_an_app(user: User) -> None:
    client = Client()
    _sign_in(client)
    secret, sealed = _offered(client.get("/account/second/app/"))
    wrong = client.post("/account/second/app/", {"sealed": sealed, "code": "123456"})
    assert wrong.status_code == 422
    assert _offered(wrong)[0] == secret  # the one that was scanned
    assert not App.objects.exists()


def test_an_offer_made_to_somebody_else_sets_up_nothing(
    user: User, operator: User
) -> None:
    other, client = Client(), Client()
    _sign_in(other, "olga")
    _sign_in(client)
    secret, sealed = _offered(other.get("/account/second/app/"))
    typed = {"sealed": sealed, "code": _code(secret)}
    assert client.post("/account/second/app/", typed).status_code == 422
    assert not App.objects.exists()


def test_setting_it_up_ends_sessions_that_showed_a_password_only(user: User) -> None:
    before, client = Client(), Client()
    _sign_in(before)
    _sign_in(client)
    _set_up(client)
    assert not _known(before)
    assert _known(client)


def test_without_it_the_password_is_enough_again(
    secured: tuple[str, list[str]],
) -> None:
    client = Client()
    _sign_in(client)
    client.post("/login/second/", {"code": _code(secured[0])})
    assert client.post("/account/second/app/remove/").status_code == 302
    assert not RecoveryCode.objects.exists()
    assert _sign_in(Client())["Location"] == "/machines/"


def test_who_must_have_one_sets_it_up_before_anything_else_opens(
    admin: User, settings: Any
) -> None:
    settings.SECOND_FACTOR = "admins"
    client = Client()
    assert _sign_in(client, "anna")["Location"] == "/login/second/"
    page = client.get("/login/second/", follow=True)
    assert page.redirect_chain == [("/login/second/app/", 302)]
    assert client.get("/")["Location"].startswith("/login/")
    secret, sealed = _offered(page)
    typed = {"sealed": sealed, "code": _code(secret, later_s=-30)}
    shown = client.post("/login/second/app/", typed)
    assert len(_CODE.findall(shown.content.decode())) == 10
    assert _known(client)
    refused = client.post("/account/second/app/remove/")
    assert refused.status_code == 409
    again = Client()
    _sign_in(again, "anna")
    assert again.get("/login/second/app/")["Location"] == "/login/second/"
    assert again.post("/login/second/app/", typed)["Location"] == "/login/second/"


def test_a_session_from_before_it_was_demanded_opens_nothing(
    as_admin: Client, as_user: Client, admin_token: str, by_token: Any, settings: Any
) -> None:
    assert _known(as_admin)
    settings.SECOND_FACTOR = "admins"
    assert not _known(as_admin)
    assert as_admin.get("/users/")["Location"].startswith("/login/?next=")
    assert _known(as_user)
    settings.SECOND_FACTOR = "all"
    assert not _known(as_user)
    assert _known(by_token(admin_token))  # tokens are no sign-ins


def test_an_admin_helps_who_lost_theirs(
    secured: tuple[str, list[str]], as_admin: Client, as_operator: Client, user: User
) -> None:
    inside = Client()
    _sign_in(inside)
    inside.post("/login/second/", {"code": _code(secured[0])})
    address = f"/users/{user.pk}/second/reset/"
    assert as_operator.post(address).status_code == 403
    assert as_admin.post(address).status_code == 302
    assert not App.objects.exists()
    assert not _known(inside)
    assert _sign_in(Client())["Location"] == "/machines/"
    entry = AuditEntry.objects.get(action="second.reset")
    assert (entry.actor, entry.target) == ("anna", f"user:{user.pk}")


def test_a_passkey_of_somebody_else_is_not_there(user: User, operator: User) -> None:
    client = Client()
    _sign_in(client)
    other = Passkey.objects.create(
        user=operator, name="k", site="localhost", credential="c", public_key="p"
    )
    for pk in (other.pk, other.pk + 1):
        assert client.post(f"/account/second/passkeys/{pk}/remove/").status_code == 404
    assert Passkey.objects.exists()


def test_whoever_runs_the_panel_helps_the_last_administrator(
    secured: tuple[str, list[str]],
) -> None:
    with pytest.raises(CommandError, match="There is no user nobody"):
        call_command("reset_second_factor", "nobody")
    call_command("reset_second_factor", "uwe")
    assert not App.objects.exists()
    assert _sign_in(Client())["Location"] != "/login/second/"
