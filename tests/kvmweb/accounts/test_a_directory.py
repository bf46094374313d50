"""Signing in by a directory: a real slapd, on an address that only we reach."""

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.test import Client
from django.utils import timezone

from kvmweb.accounts.models import AuditEntry, Member, Project, SignInFailure, User
from kvmweb.accounts.outside import ldap
from kvmweb.accounts.outside.models import ExternalIdentity
from tests.conftest import PASSWORD
from tests.kvmweb.accounts.conftest import name_of
from tests.waiting import until

THERE = "a word of the directory"
WRONG = "The user name or the password is wrong."
NEAR, FAR = "127.0.0.1", "127.0.0.2"  # the second counts as another machine
CONF = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/pid
TLSCertificateFile {folder}/cert.pem
TLSCertificateKeyFile {folder}/key.pem
database mdb
suffix "dc=example,dc=org"
rootdn "cn=root,dc=example,dc=org"
directory {folder}/db
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="cn=reader,dc=example,dc=org" read by * none
"""
PEOPLE = """
dn: dc=example,dc=org
objectClass: domain
dc: example

dn: cn=reader,dc=example,dc=org
objectClass: person
cn: reader
sn: reader
userPassword: reading

dn: ou=people,dc=example,dc=org
objectClass: organizationalUnit
ou: people

dn: ou=groups,dc=example,dc=org
objectClass: organizationalUnit
ou: groups

dn: uid=lena,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
uid: lena
cn: Lena
sn: L
mail: lena@example.org
userPassword: {there}

dn: uid=anna,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
uid: anna
cn: Another Anna
sn: A
userPassword: {there}

dn: cn=vm-admins,ou=groups,dc=example,dc=org
objectClass: groupOfNames
cn: vm-admins
member: uid=lena,ou=people,dc=example,dc=org

dn: cn=web-team,ou=groups,dc=example,dc=org
objectClass: groupOfNames
cn: web-team
member: uid=lena,ou=people,dc=example,dc=org
"""


def _certificate(folder: Path) -> None:
    """A certificate for the second address, which signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, FAR)])
    now = timezone.now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address(FAR))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            pem,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("", 0))
        return int(taken.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        socket.create_connection((NEAR, port), 1).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    """A directory with a few people; its folder and port."""
    program = shutil.which("slapd", path="/usr/sbin:/usr/bin")
    assert program, "Debian's slapd is not installed: see deploy/packages.py."
    folder = tmp_path_factory.mktemp("slapd")
    (folder / "db").mkdir()
    _certificate(folder)
    conf = folder / "slapd.conf"
    conf.write_text(CONF.format(folder=folder))
    people = PEOPLE.format(there=THERE).encode()
    subprocess.run(
        ["/usr/sbin/slapadd", "-f", str(conf)],
        input=people,
        check=True,
        capture_output=True,
    )
    port = _free_port()
    listens = f"ldap://{NEAR}:{port} ldap://{FAR}:{port}"
    process = subprocess.Popen(
        [program, "-d", "0", "-f", str(conf), "-h", listens],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: _answers(port), 20, why="slapd does not answer.")
    yield folder, port
    process.terminate()
    process.wait(10)


@pytest.fixture
def directory(slapd: tuple[Path, int], settings: Any, db: None) -> int:
    """The product set up to use it; the port."""
    settings.LDAP_URL = f"ldap://{NEAR}:{slapd[1]}"
    settings.LDAP_CA_FILE = str(slapd[0] / "cert.pem")
    settings.LDAP_BIND_DN = "cn=reader,dc=example,dc=org"
    settings.LDAP_BIND_PASSWORD = "reading"
    settings.LDAP_USER_BASE = "ou=people,dc=example,dc=org"
    settings.LDAP_GROUP_BASE = "ou=groups,dc=example,dc=org"
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
    client, answer = _sign_in("Lena", THERE)
    assert (answer.status_code, answer["Location"]) == (302, "/")
    me = client.get("/api/v1/me/").json()
    assert (me["username"], me["name"], me["email"], me["role"]) == (
        "lena",
        "Lena",
        "lena@example.org",
        "operator",
    )
    assert Member.objects.get(project=project).role == "viewer"
    again, _ = _sign_in("lena", THERE)
    assert name_of(again) == "lena"
    assert User.objects.count() == 1
    subject = ExternalIdentity.objects.get().subject
    assert len(subject) == 36  # the entry's UUID: it outlives another name
    how = AuditEntry.objects.filter(action="sign-in", outcome="succeeded")
    assert how[0].details == {"how": "ldap"}


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
    assert _sign_in("lena", THERE)[1].status_code == 429


def test_an_empty_password_binds_nobody(directory: int) -> None:
    assert ldap.person("lena", "") is None
    assert _sign_in("lena", "")[1].status_code == 422
    assert not User.objects.exists()


@pytest.mark.parametrize(
    "typed",
    ["*", "len*", "lena)(uid=*", "*)(|(uid=lena", "lena)", "(", "\\2a", "lena\\00"],
)
def test_what_is_typed_is_a_name_and_never_a_filter(directory: int, typed: str) -> None:
    assert ldap.person(typed, THERE) is None
    client, answer = _sign_in(typed, THERE)
    assert answer.status_code == 422
    assert name_of(client) == ""


def test_nobody_becomes_somebody_here_by_having_their_name_there(
    directory: int, admin: User
) -> None:
    client, answer = _sign_in("anna", THERE)
    assert answer.status_code == 422
    assert name_of(client) == ""
    client, _ = _sign_in("anna", PASSWORD)
    assert name_of(client) == "anna"
    admin.set_unusable_password()
    admin.save()
    client, answer = _sign_in("anna", THERE)
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
    _sign_in("lena", THERE)
    assert asked == [("lena", THERE)]


def test_the_disabled_stay_out(directory: int) -> None:
    _sign_in("lena", THERE)
    User.objects.update(is_active=False)
    client, answer = _sign_in("lena", THERE)
    assert answer.status_code == 422
    assert name_of(client) == ""


def test_they_confirm_with_the_password_they_have(directory: int) -> None:
    client, _ = _sign_in("lena", THERE)
    kept = client.session
    kept["confirmed_at"] = 0
    kept.save()
    page = {"next": "/account/second/app/"}
    wrong = client.post("/account/confirm/", {"password": "guess guess", **page})
    assert wrong.status_code == 422
    right = client.post("/account/confirm/", {"password": THERE, **page})
    assert right["Location"] == page["next"]
    assert client.get(page["next"]).status_code == 200


def test_the_second_factor_is_demanded_of_them_too(
    directory: int, settings: Any
) -> None:
    settings.SECOND_FACTOR = "all"
    client, answer = _sign_in("lena", THERE)
    assert answer["Location"] == "/login/second/"
    assert name_of(client) == ""


def test_on_another_machine_it_is_asked_by_tls_and_only_the_right_one(
    directory: int, settings: Any
) -> None:
    settings.LDAP_URL = f"ldap://{FAR}:{directory}"
    client, _ = _sign_in("lena", THERE)
    assert name_of(client) == "lena"
    settings.LDAP_CA_FILE = ""  # nobody vouches for it any more
    client, answer = _sign_in("lena", THERE)
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
        _, answer = _sign_in("lena", THERE)
        listener.join(5)
    assert answer.status_code == 503
    assert heard
    for word in (b"reading", THERE.encode(), b"lena"):
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
        _, answer = _sign_in("lena", THERE)
        assert time.monotonic() - began < 4
        assert answer.status_code == 503
        client, _ = _sign_in("uwe", PASSWORD)
        assert name_of(client) == "uwe"
