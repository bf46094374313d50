"""Answers of an OpenID provider that do not fit, and providers not to be trusted."""

import json
import socket
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from kvmweb import vault
from kvmweb.accounts.models import AuditEntry, User
from kvmweb.accounts.outside import oidc
from tests.kvmweb.accounts.conftest import arrive, name_of
from tests.outside.openid import BACK, Provider

pytestmark = pytest.mark.one_database  # it is about the provider
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
    assert name_of(client) == ""
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
    assert name_of(thief) == ""


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
    client, answer = arrive(provider)
    assert answer.status_code == (302 if taken else 403)
    assert bool(name_of(client)) == taken


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
    assert name_of(client) == ""


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
