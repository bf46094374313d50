"""Signing in by an OpenID provider: a real one, beside us, that insists on PKCE."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest
import requests
from django.test import Client

from kvmweb import vault
from kvmweb.accounts.models import AuditEntry, Member, Project, User
from kvmweb.accounts.outside import oidc
from kvmweb.accounts.outside.models import ExternalIdentity
from kvmweb.accounts.second import codes
from tests.conftest import PASSWORD
from tests.waiting import until

BACK = "/login/oidc/back/"
OURS = f"http://testserver{BACK}"
PROVIDER = Path(__file__).parent / "provider.py"


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


class Provider:
    """The provider, as people and administrators use it."""

    def __init__(self, port: int) -> None:
        self.issuer = f"http://127.0.0.1:{port}"
        asked = {"redirect_uris": [OURS]}
        told = requests.post(f"{self.issuer}/oauth2/clients", json=asked, timeout=5)
        self.client = told.json()

    def know(self, subject: str, **claims: Any) -> None:
        """Somebody the provider knows."""
        address = f"{self.issuer}/users/{subject}"
        requests.put(address, json=claims, timeout=5).raise_for_status()

    def sign_in(self, address: str, subject: str) -> str:
        """Back with the answer: the path and query at our own site."""
        answer = requests.post(
            address, data={"sub": subject}, allow_redirects=False, timeout=5
        )
        location = answer.headers["Location"]
        assert location.startswith(OURS), location
        return location.removeprefix("http://testserver")


@pytest.fixture(scope="module")
def started() -> Iterator[Provider]:
    """One provider for all tests here."""
    port = _free_port()
    process = subprocess.Popen(
        [sys.executable, str(PROVIDER), str(port)],
        env={**os.environ, "AUTHLIB_INSECURE_TRANSPORT": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: _answers(port), 20, why="The provider does not answer.")
    yield Provider(port)
    process.terminate()
    process.wait(10)


@pytest.fixture
def provider(started: Provider, settings: Any, db: None) -> Provider:
    """The product set up to use it; Nina is known there."""
    settings.OIDC_ISSUER = started.issuer
    settings.OIDC_CLIENT_ID = started.client["client_id"]
    settings.OIDC_CLIENT_SECRET = started.client["client_secret"]
    settings.GROUPS = "vm-admins=admin, web-team=project:web:operator"
    started.know("s-1", preferred_username="Nina", email="nina@example.org")
    return started


def _arrive(
    provider: Provider, subject: str = "s-1", **more: Any
) -> tuple[Client, Any]:
    client = more.pop("client", None) or Client()
    gone = client.get("/login/oidc/", more)
    assert gone.status_code == 302, gone.content
    return client, client.get(provider.sign_in(gone["Location"], subject))


def _name(client: Client) -> str:
    me = client.get("/api/v1/me/")
    return str(me.json()["username"]) if me.status_code == 200 else ""


def test_somebody_new_is_let_in_as_a_plain_user_and_is_the_same_next_time(
    provider: Provider,
) -> None:
    assert "Sign in with single sign-on" in Client().get("/login/").content.decode()
    client, answer = _arrive(provider, next="/account/")
    assert (answer.status_code, answer["Location"]) == (302, "/account/")
    assert _name(client) == "nina"
    again, _ = _arrive(provider)
    assert _name(again) == "nina"
    user = User.objects.get()
    assert (user.role, user.email) == ("user", "nina@example.org")
    assert not user.has_usable_password()
    identity = ExternalIdentity.objects.get()
    assert (identity.provider, identity.subject) == (provider.issuer, "s-1")
    how = AuditEntry.objects.filter(action="sign-in", outcome="succeeded")
    assert [entry.details for entry in how] == [{"how": "oidc"}] * 2


def test_the_question_is_asked_with_pkce_state_and_nonce(provider: Provider) -> None:
    client = Client()
    gone = client.get("/login/oidc/")
    asked = parse_qs(urlsplit(gone["Location"]).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"] == [OURS]
    assert min(len(asked[it][0]) for it in ("state", "nonce", "code_challenge")) > 30
    cookie = client.cookies["kvmweb_journey"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
    for name in ("state", "nonce"):
        assert asked[name][0] not in cookie.value


def test_groups_give_roles_and_projects_and_take_them_back(provider: Provider) -> None:
    project = Project.objects.create(name="web")
    provider.know(
        "s-2", preferred_username="olaf", groups=["vm-admins", "web-team", "else"]
    )
    _arrive(provider, "s-2")
    user = User.objects.get(username="olaf")
    assert user.role == "admin"
    assert Member.objects.get(user=user, project=project).role == "operator"
    User.objects.make("root", PASSWORD, "admin")  # olaf is not the last one
    provider.know("s-2", preferred_username="olaf", groups=[])
    _arrive(provider, "s-2")
    user.refresh_from_db()
    assert user.role == "user"
    assert not Member.objects.exists()


def test_what_was_given_by_hand_stays(provider: Provider) -> None:
    project = Project.objects.create(name="web")
    provider.know("s-3", preferred_username="otto", groups=["web-team"])
    _arrive(provider, "s-3")
    user = User.objects.get(username="otto")
    User.objects.filter(pk=user.pk).update(role="operator")
    Member.objects.update(role="owner", by_hand=True)
    provider.know("s-3", preferred_username="otto", groups=[])
    for _ in range(2):
        _arrive(provider, "s-3")
    user.refresh_from_db()
    assert user.role == "operator"
    assert Member.objects.get(user=user, project=project).role == "owner"


def test_a_group_never_takes_the_last_administrator_away(provider: Provider) -> None:
    provider.know("s-4", preferred_username="ada", groups=["vm-admins"])
    _arrive(provider, "s-4")
    provider.know("s-4", preferred_username="ada", groups=[])
    _arrive(provider, "s-4")
    assert User.objects.get(username="ada").role == "admin"


def test_nobody_becomes_another_by_name_or_mail_address(
    provider: Provider, admin: User
) -> None:
    admin.email = "anna@example.org"
    admin.save()
    provider.know("s-5", preferred_username="anna", email="anna@example.org")
    client, answer = _arrive(provider, "s-5")
    assert answer.status_code == 409
    assert "belongs to another account here" in answer.content.decode()
    assert _name(client) == ""
    provider.know("s-6", preferred_username="mallory", email="anna@example.org")
    client, _ = _arrive(provider, "s-6")
    assert _name(client) == "mallory"


def test_somebody_links_their_account_here_after_showing_their_password(
    provider: Provider, user: User
) -> None:
    client = Client()
    client.force_login(user)
    asked = client.get("/account/outside/link/")
    assert asked["Location"].startswith("/account/confirm/")
    client.post("/account/confirm/", {"password": PASSWORD})
    gone = client.get("/account/outside/link/")
    back = client.get(provider.sign_in(gone["Location"], "s-1"))
    assert back["Location"] == "/account/outside/"
    assert "Nina" in client.get("/account/outside/").content.decode()
    other, _ = _arrive(provider)
    assert _name(other) == "uwe"
    identity = ExternalIdentity.objects.get()
    address = f"/account/outside/{identity.pk}/unlink/"
    assert client.post(address).status_code == 302
    stranger, _ = _arrive(provider)
    assert _name(stranger) == "nina"


def test_the_disabled_stay_out(provider: Provider) -> None:
    _arrive(provider)
    User.objects.update(is_active=False)
    client, answer = _arrive(provider)
    assert answer.status_code == 403
    assert _name(client) == ""


def test_the_second_factor_is_asked_for_unless_the_provider_did(
    provider: Provider,
) -> None:
    _arrive(provider)
    offer = codes.offer(User.objects.get())
    code = pyotp.TOTP(offer.secret).now()
    assert codes.accept(User.objects.get(), offer.sealed, code)
    client, answer = _arrive(provider)
    assert answer["Location"] == "/login/second/"
    assert _name(client) == ""
    provider.know("s-1", preferred_username="Nina", amr=["pwd", "mfa"])
    client, answer = _arrive(provider)
    assert _name(client) == "nina"


def test_who_has_no_password_shows_at_the_provider_that_it_is_them(
    provider: Provider,
) -> None:
    client, _ = _arrive(provider)
    kept = client.session
    kept["confirmed_at"] = 0
    kept.save()
    page = "/account/second/app/"
    assert client.get(page).status_code == 302
    provider.know("s-1", preferred_username="Nina", auth_time=1000)
    _, stale = _arrive(provider, client=client, next=page, again="1")
    assert stale.status_code == 403  # it did not say that it asked
    claims = {"preferred_username": "Nina", "auth_time": int(time.time())}
    provider.know("s-1", **claims)
    provider.know("s-9", **claims)
    _, other = _arrive(provider, "s-9", client=client, next=page, again="1")
    assert other.status_code in (403, 409)
    assert client.get(page).status_code == 302
    _, shown = _arrive(provider, client=client, next=page, again="1")
    assert shown["Location"] == page
    assert client.get(page).status_code == 200


Trick = Callable[[Client, Provider, str], Any]


def _another_browser(_client: Client, provider: Provider, address: str) -> Any:
    return Client().get(provider.sign_in(address, "s-1"))


def _another_state(client: Client, provider: Provider, address: str) -> Any:
    code = parse_qs(urlsplit(provider.sign_in(address, "s-1")).query)["code"][0]
    return client.get(BACK, {"code": code, "state": "x" * 32})


def _a_code_of_somebody_elses_way(
    client: Client, provider: Provider, address: str
) -> Any:
    theirs = provider.sign_in(Client().get("/login/oidc/")["Location"], "s-1")
    code = parse_qs(urlsplit(theirs).query)["code"][0]
    state = parse_qs(urlsplit(address).query)["state"][0]
    return client.get(BACK, {"code": code, "state": state})


def _a_made_up_code(client: Client, _provider: Provider, address: str) -> Any:
    state = parse_qs(urlsplit(address).query)["state"][0]
    return client.get(BACK, {"code": "made-up", "state": state})


def _denied(client: Client, _provider: Provider, _address: str) -> Any:
    return client.get(BACK, {"error": "access_denied"})


@pytest.mark.parametrize(
    "trick",
    [
        _another_browser,
        _another_state,
        _a_code_of_somebody_elses_way,
        _a_made_up_code,
        _denied,
    ],
)
def test_an_answer_that_does_not_fit_lets_nobody_in(
    provider: Provider, trick: Trick
) -> None:
    client = Client()
    answer = trick(client, provider, client.get("/login/oidc/")["Location"])
    assert answer.status_code == 403
    assert _name(client) == ""
    assert AuditEntry.objects.filter(action="sign-in.oidc", outcome="failed").exists()
    assert not User.objects.exists()


def test_an_answer_is_good_once(provider: Provider) -> None:
    client = Client()
    gone = client.get("/login/oidc/")
    back = provider.sign_in(gone["Location"], "s-1")
    cookie = client.cookies["kvmweb_journey"].value
    assert client.get(back).status_code == 302
    thief = Client()
    thief.cookies["kvmweb_journey"] = cookie
    assert thief.get(back).status_code == 403
    assert _name(thief) == ""


def _another_audience(settings: Any, tokens: dict[str, Any]) -> dict[str, Any]:
    settings.OIDC_CLIENT_ID = "another-client"
    return tokens


def _another_signature(_settings: Any, tokens: dict[str, Any]) -> dict[str, Any]:
    head, body, signature = tokens["id_token"].split(".")
    changed = "A" if signature[9] != "A" else "B"
    signature = f"{signature[:9]}{changed}{signature[10:]}"
    return tokens | {"id_token": f"{head}.{body}.{signature}"}


def _no_signature(_settings: Any, tokens: dict[str, Any]) -> dict[str, Any]:
    _, body, _ = tokens["id_token"].split(".")
    return tokens | {"id_token": f"eyJhbGciOiJub25lIn0.{body}."}


def _no_token(_settings: Any, tokens: dict[str, Any]) -> dict[str, Any]:
    return {key: it for key, it in tokens.items() if key != "id_token"}


def _unchanged(_settings: Any, tokens: dict[str, Any]) -> dict[str, Any]:
    return tokens


@pytest.mark.parametrize(
    ("change", "taken"),
    [
        (_unchanged, True),
        (_another_audience, False),
        (_another_signature, False),
        (_no_signature, False),
        (_no_token, False),
    ],
)
def test_a_token_that_was_changed_or_is_for_another_is_not_taken(
    provider: Provider,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Any, dict[str, Any]], dict[str, Any]],
    *,
    taken: bool,
) -> None:
    came = oidc._tokens
    monkeypatch.setattr(oidc, "_tokens", lambda *it: change(settings, came(*it)))
    client, answer = _arrive(provider)
    assert answer.status_code == (302 if taken else 403)
    assert bool(_name(client)) == taken


def test_a_token_that_answers_an_older_question_is_not_taken(
    provider: Provider,
) -> None:
    client = Client()
    gone = client.get("/login/oidc/")
    cipher = vault.cipher("accounts.outside")
    kept = json.loads(cipher.decrypt(client.cookies["kvmweb_journey"].value.encode()))
    forged = json.dumps(kept | {"nonce": "of another question"}).encode()
    client.cookies["kvmweb_journey"] = cipher.encrypt(forged).decode()
    answer = client.get(provider.sign_in(gone["Location"], "s-1"))
    assert answer.status_code == 403
    assert _name(client) == ""


def test_only_https_or_this_machine_is_believed(settings: Any, db: None) -> None:
    settings.OIDC_CLIENT_ID = "us"
    for issuer in ("http://provider.example.org", "ftp://127.0.0.1", "file:///etc"):
        settings.OIDC_ISSUER = issuer
        answer = Client().get("/login/oidc/")
        assert answer.status_code == 403
        assert "must be reached by https" in answer.content.decode()


def test_a_provider_that_hangs_or_is_gone_costs_seconds_and_a_sentence(
    settings: Any, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc, "READ_S", 0.3)
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        settings.OIDC_CLIENT_ID = "us"
        settings.OIDC_ISSUER = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        began = time.monotonic()
        answer = Client().get("/login/oidc/")
        assert time.monotonic() - began < 3
    assert answer.status_code == 503
    assert "does not answer as it should" in answer.content.decode()
    assert Client().get("/login/oidc/").status_code == 503


def test_without_a_provider_there_is_no_such_way(db: None) -> None:
    assert Client().get("/login/oidc/").status_code == 404
    assert "single sign-on" not in Client().get("/login/").content.decode()
