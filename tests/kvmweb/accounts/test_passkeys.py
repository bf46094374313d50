"""Passkeys, with an authenticator of our own that can be told to cheat."""

import hashlib
import json
import secrets
import struct
from dataclasses import dataclass, field
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from django.test import Client
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

from kvmweb.accounts.models import AuditEntry, User
from kvmweb.accounts.second.models import App, Passkey, RecoveryCode
from tests.conftest import PASSWORD

ORIGIN = "http://testserver"
PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40
OWN = "/account/second/passkeys/"


@dataclass
class Stick:
    """A key in a stick: makes what a browser would send."""

    site: str = "testserver"
    origin: str = ORIGIN
    flags: int = PRESENT | VERIFIED
    count: int = 1
    ident: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def made(self, options: dict[str, Any]) -> str:
        """The answer to being asked for a new key."""
        numbers = self.key.public_key().public_numbers()
        public = {
            1: 2,
            3: -7,
            -1: 1,
            -2: numbers.x.to_bytes(32, "big"),
            -3: numbers.y.to_bytes(32, "big"),
        }
        length = struct.pack(">H", len(self.ident))
        data = self._data(ATTESTED) + bytes(16) + length + self.ident
        data += cbor2.dumps(public)
        attested = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        client = self._client("webauthn.create", options)
        return self._sent(
            clientDataJSON=client, attestationObject=attested, transports=[]
        )

    def used(self, options: dict[str, Any]) -> str:
        """The answer to being asked who it is."""
        self.count += 1
        data, client = self._data(), self._client("webauthn.get", options)
        signed = data + hashlib.sha256(client).digest()
        return self._sent(
            clientDataJSON=client,
            authenticatorData=data,
            signature=self.key.sign(signed, ec.ECDSA(hashes.SHA256())),
            userHandle=None,
        )

    def _data(self, more: int = 0) -> bytes:
        site = hashlib.sha256(self.site.encode()).digest()
        return site + struct.pack(">BI", self.flags | more, self.count)

    def _client(self, kind: str, options: dict[str, Any]) -> bytes:
        said = {"type": kind, "challenge": options["challenge"], "origin": self.origin}
        return json.dumps(said).encode()

    def _sent(self, **response: Any) -> str:
        coded = {
            name: bytes_to_base64url(value) if isinstance(value, bytes) else value
            for name, value in response.items()
        }
        ident = bytes_to_base64url(self.ident)
        whole = {"id": ident, "rawId": ident, "type": "public-key", "response": coded}
        return json.dumps(whole)


def _password(username: str = "uwe") -> Client:
    client = Client()
    client.post("/login/", {"username": username, "password": PASSWORD})
    return client


def _known(client: Client) -> bool:
    return client.get("/api/v1/me/").status_code == 200


def _added(client: Client, stick: Stick, options: Any = None) -> Any:
    asked = options or client.post(f"{OWN}options/").json()
    typed = {"name": "blue stick", "credential": stick.made(asked)}
    return client.post(f"{OWN}new/", typed)


def _stepped(stick: Stick, client: Client | None = None, options: Any = None) -> Client:
    client = client or _password()
    asked = options or client.post("/login/second/passkey/options/").json()
    client.post("/login/second/passkey/", {"credential": stick.used(asked)})
    return client


@pytest.fixture
def stick(user: User) -> Stick:
    """Uwe's stick, which is added."""
    made = Stick()
    assert _added(_password(), made).status_code == 200
    return made


def test_a_key_is_added_and_opens_the_house_as_the_second_step(
    stick: Stick, user: User
) -> None:
    client = _password()
    page = client.get("/login/second/").content.decode()
    assert "Use a passkey" in page
    assert not _known(client)
    assert _known(_stepped(stick, client))
    assert RecoveryCode.objects.filter(user=user, used_at=None).count() == 10
    entry = AuditEntry.objects.filter(action="sign-in").order_by("-id")[0]
    assert entry.details == {"how": "password, passkey"}
    key = Passkey.objects.get()
    assert (key.name, key.site, key.sign_count) == ("blue stick", "testserver", 2)


def test_the_browser_is_asked_to_see_a_person(stick: Stick) -> None:
    making = _stepped(stick).post(f"{OWN}options/").json()
    assert making["rp"]["id"] == "testserver"
    assert making["authenticatorSelection"]["userVerification"] == "required"
    assert len(making["excludeCredentials"]) == 1
    using = _password().post("/login/second/passkey/options/").json()
    assert using["userVerification"] == "required"
    assert using["rpId"] == "testserver"


@pytest.mark.parametrize(
    "cheat",
    [
        {"origin": "http://evil.example"},
        {"origin": "https://testserver"},
        {"site": "evil.example"},
        {"flags": PRESENT},
        {"count": 0},
        {"ident": b"of somebody else"},
        {"key": ec.generate_private_key(ec.SECP256R1())},
    ],
)
def test_a_key_that_answers_otherwise_opens_nothing(
    stick: Stick, cheat: dict[str, Any]
) -> None:
    for name, value in cheat.items():
        setattr(stick, name, value)
    assert not _known(_stepped(stick))
    failed = AuditEntry.objects.get(action="sign-in.second", outcome="failed")
    assert failed.details == {"with": "passkey"}


@pytest.mark.parametrize(
    "cheat",
    [{"origin": "http://evil.example"}, {"site": "evil.example"}, {"flags": PRESENT}],
)
def test_a_key_of_another_site_or_without_a_person_is_not_added(
    user: User, cheat: dict[str, Any]
) -> None:
    assert _added(_password(), Stick(**cheat)).status_code == 422
    assert not Passkey.objects.exists()


def test_an_answer_is_good_once_and_for_its_own_question_only(stick: Stick) -> None:
    client, other = _password(), _password()
    asked = client.post("/login/second/passkey/options/").json()
    credential = stick.used(asked)
    stolen = {"credential": credential}
    other.post("/login/second/passkey/options/")
    other.post("/login/second/passkey/", stolen)
    assert not _known(other)
    client.post("/login/second/passkey/", stolen)
    assert _known(client)
    again = _password()
    again.post("/login/second/passkey/", stolen)
    assert not _known(again)


def test_a_key_is_not_added_twice_nor_with_an_old_question(
    stick: Stick, user: User
) -> None:
    client = _stepped(stick)
    assert _added(client, stick).status_code == 422
    fresh = Stick()
    asked = client.post(f"{OWN}options/").json()
    assert _added(client, fresh, asked).status_code == 302
    assert _added(client, Stick(), asked).status_code == 422
    assert Passkey.objects.count() == 2


@pytest.mark.parametrize("sent", ["", "x", "[]", "{}", '{"id": 1}', '{"id": "a"}'])
def test_what_is_no_answer_is_refused_in_words(stick: Stick, sent: str) -> None:
    client = _password()
    client.post("/login/second/passkey/options/")
    answer = client.post("/login/second/passkey/", {"credential": sent})
    assert answer.status_code == 422
    assert "did not answer as it should" in answer.content.decode()


@pytest.mark.usefixtures("no_time_passes")
def test_guessing_is_slow_here_too(stick: Stick) -> None:
    client = _password()
    sent = {"credential": "{}"}
    statuses = [
        client.post("/login/second/passkey/", sent).status_code for _ in range(6)
    ]
    assert statuses == [422] * 5 + [429]


def test_an_address_of_numbers_takes_no_passkeys(user: User) -> None:
    client = _password()
    answer = client.post(f"{OWN}options/", headers={"host": "127.0.0.1"})
    assert answer.status_code == 409
    assert "Open the panel by its name." in answer.content.decode()


def test_who_must_have_a_factor_may_come_in_with_a_new_key(
    user: User, settings: Any
) -> None:
    settings.SECOND_FACTOR = "all"
    client, stick = _password(), Stick()
    asked = client.post("/login/second/passkey/new/options/").json()
    assert not _known(client)
    typed = {"name": "stick", "credential": stick.made(asked)}
    shown = client.post("/login/second/passkey/new/", typed)
    assert "Your recovery codes" in shown.content.decode()
    assert _known(client)
    intruder = _password()
    for path in ("new/options/", "new/"):
        intruder.post(f"/login/second/passkey/{path}", typed)
    assert not _known(intruder)
    assert Passkey.objects.count() == 1
    key = Passkey.objects.get()
    assert client.post(f"{OWN}{key.pk}/remove/").status_code == 409


def test_with_one_removed_the_other_is_still_asked_for(
    stick: Stick, user: User
) -> None:
    App.objects.create(user=user, sealed="x")
    client = _stepped(stick)
    key = Passkey.objects.get()
    assert client.post(f"{OWN}{key.pk}/remove/").status_code == 302
    answer = _password().post("/login/second/passkey/options/")
    assert answer.status_code == 409
    assert base64url_to_bytes(key.credential) == stick.ident
    assert not _known(_stepped(stick, options={"challenge": "x"}))
