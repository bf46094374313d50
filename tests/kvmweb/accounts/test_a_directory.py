"""Signing in by a directory: a real slapd, on an address that only we reach."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from kvmweb.accounts.models import AuditEntry, Member, Project, SignInFailure, User
from kvmweb.accounts.outside import ldap
from kvmweb.accounts.outside.models import ExternalIdentity
from tests.conftest import PASSWORD
from tests.kvmweb.accounts.conftest import name_of
from tests.outside import directory as outside
from tests.outside.directory import FAR, NEAR, WORD

pytestmark = pytest.mark.one_database  # it is about the directory
WRONG = "The user name or the password is wrong."


@pytest.fixture(scope="module")
def slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    """A directory with a few people; its folder and port."""
    folder = tmp_path_factory.mktemp("slapd")
    with outside.directory(folder) as port:
        yield folder, port


@pytest.fixture
def directory(slapd: tuple[Path, int], settings: Any, db: None) -> int:
    """The product set up to use it; the port."""
    settings.LDAP_URL = f"ldap://{NEAR}:{slapd[1]}"
    settings.LDAP_CA_FILE = str(slapd[0] / "cert.pem")
    settings.LDAP_BIND_DN = outside.READER
    settings.LDAP_BIND_PASSWORD = outside.READS
    settings.LDAP_USER_BASE = outside.PEOPLE
    settings.LDAP_GROUP_BASE = outside.GROUPS
    settings.GROUPS = "vm-admins=operator, web-team=project:web:viewer"
    return slapd[1]


def _sign_in(username: str, password: str) -> tuple[Client, Any]:
    client = Client()
    typed = {"username": username, "password": password}
    return client, client.post("/login/", typed)


def test_somebody_of_the_directory_is_let_in_with_what_their_groups_give(
    directory: int,
) -> None:
    project = Project.objects.create(name="web")
    client, answer = _sign_in("Lena", WORD)
    assert (answer.status_code, answer["Location"]) == (302, "/")
    me = client.get("/api/v1/me/").json()
    assert (me["username"], me["name"], me["email"], me["role"]) == (
        "lena",
        "Lena",
        "lena@example.org",
        "operator",
    )
    assert Member.objects.get(project=project).role == "viewer"
    again, _ = _sign_in("lena", WORD)
    assert name_of(again) == "lena"
    assert User.objects.count() == 1
    subject = ExternalIdentity.objects.get().subject
    assert len(subject) == 36  # the entry's UUID: it outlives another name
    how = AuditEntry.objects.filter(action="sign-in", outcome="succeeded")
    assert how[0].details == {"how": "ldap"}


@pytest.mark.usefixtures("no_time_passes")
def test_a_wrong_password_and_an_unknown_name_read_the_same_and_are_counted(
    directory: int,
) -> None:
    for name in ("lena", "nobody"):
        _, answer = _sign_in(name, "guess guess")
        assert answer.status_code == 422
        assert WRONG in answer.content.decode()
    assert SignInFailure.objects.count() == 2
    for _ in range(5):
        _sign_in("lena", "guess guess")
    assert _sign_in("lena", WORD)[1].status_code == 429


def test_an_empty_password_binds_nobody(directory: int) -> None:
    assert ldap.person("lena", "") is None
    assert _sign_in("lena", "")[1].status_code == 422
    assert not User.objects.exists()


@pytest.mark.parametrize(
    "typed",
    ["*", "len*", "lena)(uid=*", "*)(|(uid=lena", "lena)", "(", "\\2a", "lena\\00"],
)
def test_what_is_typed_is_a_name_and_never_a_filter(directory: int, typed: str) -> None:
    assert ldap.person(typed, WORD) is None
    client, answer = _sign_in(typed, WORD)
    assert answer.status_code == 422
    assert name_of(client) == ""


def test_nobody_becomes_somebody_here_by_having_their_name_there(
    directory: int, admin: User
) -> None:
    client, answer = _sign_in("anna", WORD)
    assert answer.status_code == 422
    assert name_of(client) == ""
    client, _ = _sign_in("anna", PASSWORD)
    assert name_of(client) == "anna"
    admin.set_unusable_password()
    admin.save()
    client, answer = _sign_in("anna", WORD)
    assert answer.status_code == 422
    assert name_of(client) == ""


def test_a_password_of_ours_is_never_shown_to_the_directory(
    directory: int, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(ldap, "person", lambda *it: asked.append(it))
    _sign_in("uwe", "guess guess")
    _sign_in("uwe", PASSWORD)
    assert asked == []
    _sign_in("lena", WORD)
    assert asked == [("lena", WORD)]


def test_the_disabled_stay_out(directory: int) -> None:
    _sign_in("lena", WORD)
    User.objects.update(is_active=False)
    client, answer = _sign_in("lena", WORD)
    assert answer.status_code == 422
    assert name_of(client) == ""


def test_they_confirm_with_the_password_they_have(directory: int) -> None:
    client, _ = _sign_in("lena", WORD)
    kept = client.session
    kept["confirmed_at"] = 0
    kept.save()
    page = {"next": "/account/second/app/"}
    wrong = client.post("/account/confirm/", {"password": "guess guess", **page})
    assert wrong.status_code == 422
    right = client.post("/account/confirm/", {"password": WORD, **page})
    assert right["Location"] == page["next"]
    assert client.get(page["next"]).status_code == 200


def test_the_second_factor_is_demanded_of_them_too(
    directory: int, settings: Any
) -> None:
    settings.SECOND_FACTOR = "all"
    client, answer = _sign_in("lena", WORD)
    assert answer["Location"] == "/login/second/"
    assert name_of(client) == ""


def test_on_another_machine_it_is_asked_by_tls_and_only_the_right_one(
    directory: int, settings: Any
) -> None:
    settings.LDAP_URL = f"ldap://{FAR}:{directory}"
    client, _ = _sign_in("lena", WORD)
    assert name_of(client) == "lena"
    settings.LDAP_CA_FILE = ""  # nobody vouches for it any more
    client, answer = _sign_in("lena", WORD)
    assert answer.status_code == 503
    assert "does not answer as it should" in answer.content.decode()
    assert name_of(client) == ""


def test_a_machine_without_tls_never_sees_a_password(settings: Any, db: None) -> None:
    heard = bytearray()
    with socket.socket() as plain:
        plain.bind((FAR, 0))
        plain.listen()

        def listen() -> None:
            wire, _ = plain.accept()
            with wire:
                wire.settimeout(2)
                heard.extend(wire.recv(4096))

        listener = threading.Thread(target=listen)
        listener.start()
        settings.LDAP_URL = f"ldap://{FAR}:{plain.getsockname()[1]}"
        settings.LDAP_USER_BASE = "dc=example"
        settings.LDAP_BIND_DN, settings.LDAP_BIND_PASSWORD = "cn=reader", "reading"
        _, answer = _sign_in("lena", WORD)
        listener.join(5)
    assert answer.status_code == 503
    assert heard
    for word in (b"reading", WORD.encode(), b"lena"):
        assert word not in heard


def test_a_directory_that_hangs_costs_seconds_and_our_own_people_none(
    settings: Any, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ldap, "READ_S", 1)
    with socket.socket() as deaf:
        deaf.bind((NEAR, 0))
        deaf.listen()
        settings.LDAP_URL = f"ldap://{NEAR}:{deaf.getsockname()[1]}"
        settings.LDAP_USER_BASE = "dc=example"
        began = time.monotonic()
        _, answer = _sign_in("lena", WORD)
        assert time.monotonic() - began < 4
        assert answer.status_code == 503
        client, _ = _sign_in("uwe", PASSWORD)
        assert name_of(client) == "uwe"
