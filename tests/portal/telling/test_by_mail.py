"""A letter goes to a real mail server, again and again until it takes it or says never."""

import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from socket import create_server
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.utils import timezone

from deploy.product import free_port
from kvmweb import mail
from kvmweb.accounts.models import User
from kvmweb.errors import Invalid
from kvmweb.mail import Letter, NotDelivered
from portal.telling import sending
from portal.telling.events import Way
from portal.telling.models import Delivery
from portal.telling.services import tell
from tests.portal.telling.conftest import Postbox

State = Delivery.State


@pytest.fixture
def uwe(user: User, postbox: Postbox) -> User:
    """Somebody with an address."""
    user.email = "uwe@example.org"
    user.save()
    return user


def say(person: User, title: str = "web-1 is ready") -> Delivery:
    """Tell them; what waits to be sent."""
    tell(
        "request.ready",
        [person],
        title=title,
        text="It runs at <10.0.0.5> & waits.",
        page="/machines/",
    )
    return Delivery.objects.get(title=" ".join(title.split()))


def tried(delivery: Delivery) -> Delivery:
    """The delivery after one more try, however long it had to wait for that."""
    Delivery.objects.filter(pk=delivery.pk).update(next_at=timezone.now())
    assert sending.send(Way.MAIL) == 1
    delivery.refresh_from_db()
    return delivery


def test_it_reads_well_as_text_and_as_html(uwe: User, postbox: Postbox) -> None:
    delivery = say(uwe)
    assert postbox.letters == []  # nothing is sent in a request
    assert sending.send(Way.MAIL) == 1
    (letter,) = postbox.letters
    assert letter["Subject"] == "web-1 is ready"
    assert (letter["To"], letter["From"]) == (
        "uwe@example.org",
        "kvmweb <panel@example.org>",
    )
    assert letter["Message-ID"] == f"<{delivery.pk}@example.org>"
    text = letter.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    html = letter.get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert "It runs at <10.0.0.5> & waits." in text
    assert "https://panel.example.org/machines/" in text
    assert "It runs at &lt;10.0.0.5&gt; &amp; waits." in html
    assert 'href="https://panel.example.org/machines/"' in html
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == (State.SENT, 1)
    assert sending.send(Way.MAIL) == 0


def test_a_title_adds_no_header(uwe: User, postbox: Postbox) -> None:
    say(uwe, "ready\r\nBcc: all@example.org")
    sending.send(Way.MAIL)
    (letter,) = postbox.letters
    assert letter["Bcc"] is None
    assert letter["Subject"] == "ready Bcc: all@example.org"


def test_what_is_refused_for_now_waits_longer_each_time(
    uwe: User, postbox: Postbox
) -> None:
    postbox.answer = "451 Come back later"
    delivery, waits = say(uwe), []
    for number in range(1, 4):
        delivery = tried(delivery)
        assert (delivery.state, delivery.attempts) == (State.WAITING, number)
        waits.append((delivery.next_at - timezone.now()).total_seconds())
    assert "451 Come back later" in delivery.said
    for wait, wanted in zip(waits, (30, 90, 270), strict=True):
        assert 0.75 * wanted < wait < 1.25 * wanted
    assert sending.send(Way.MAIL) == 0  # not yet
    postbox.answer = "250 Taken"
    assert tried(delivery).state == State.SENT
    assert delivery.said == ""


def test_it_is_given_up_after_about_a_day(uwe: User, postbox: Postbox) -> None:
    postbox.answer = "451 Come back later"
    delivery = say(uwe)
    whole = sum((sending.delay(n) for n in range(1, sending.TRIES)), timedelta())
    assert timedelta(hours=20) < whole < timedelta(hours=34)
    for _ in range(sending.TRIES - 1):
        assert tried(delivery).state == State.WAITING
    assert tried(delivery).state == State.FAILED


def test_an_address_that_is_none_is_tried_once(uwe: User, postbox: Postbox) -> None:
    User.objects.filter(pk=uwe.pk).update(email="nobody@example.org")
    delivery = tried(say(uwe))
    assert (delivery.state, delivery.attempts) == (State.FAILED, 1)
    assert "(550)" in delivery.said


def test_who_may_not_sign_in_any_more_gets_none(uwe: User, postbox: Postbox) -> None:
    delivery = say(uwe)
    User.objects.filter(pk=uwe.pk).update(is_active=False)
    assert tried(delivery).state == State.CANCELLED
    assert postbox.letters == []


def test_a_server_that_is_away_loses_nothing(
    uwe: User, postbox: Postbox, settings: Any
) -> None:
    there, settings.SMTP_URL = settings.SMTP_URL, "smtp://127.0.0.1:1"
    delivery = tried(say(uwe))
    assert delivery.state == State.WAITING
    assert "did not take it" in delivery.said
    settings.SMTP_URL = there
    assert tried(delivery).state == State.SENT


def test_a_server_that_talks_for_ever_is_cut_off(
    uwe: User, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail, "_WHOLE_S", 0.4)
    over = threading.Event()
    with create_server(("127.0.0.1", 0)) as there:

        def talk() -> None:
            client, _ = there.accept()
            with client:
                while not over.wait(0.05):
                    try:
                        client.send(b"220-more is to come\r\n")
                    except OSError:
                        return

        thread = threading.Thread(target=talk)
        thread.start()
        settings.SMTP_URL = f"smtp://127.0.0.1:{there.getsockname()[1]}"
        begun = timezone.now()
        assert tried(say(uwe)).state == State.WAITING
        assert timezone.now() - begun < timedelta(seconds=5)
        over.set()
        thread.join(5)


def test_a_sender_that_died_is_followed_by_another(uwe: User, postbox: Postbox) -> None:
    delivery = say(uwe)
    now = timezone.now()
    assert sending.claim(Way.MAIL, now) == delivery
    assert sending.claim(Way.MAIL, now) is None
    later = now + sending.LEASE + timedelta(seconds=1)
    again = sending.claim(Way.MAIL, later)
    assert again is not None
    assert again.attempts == 2
    delivery.attempts, delivery.lease_until = 1, now + sending.LEASE
    sending.attempt(delivery)  # the first one was only slow
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == (State.WAITING, 2)
    sending.attempt(again)
    delivery.refresh_from_db()
    assert delivery.state == State.SENT


def test_old_letters_are_forgotten(uwe: User, postbox: Postbox) -> None:
    tried(say(uwe))
    sending.forget(timezone.now() + timedelta(days=29))
    assert Delivery.objects.exists()
    sending.forget(timezone.now() + timedelta(days=31))
    assert not Delivery.objects.exists()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of 127.0.0.1 with its key, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))  # noqa: TID251
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))  # noqa: TID251
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]),
            critical=True,
        )
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "mail.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def guarded(certificate: Path, settings: Any) -> Iterator[Postbox]:
    """A mail server that wants STARTTLS and a password."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    box, port = Postbox(), free_port()

    def known(
        _server: Any, _session: Any, _env: Any, _how: str, who: Any
    ) -> AuthResult:
        said = LoginPassword(b"panel", b"a:b@c")
        return AuthResult(success=who == said, handled=False)

    controller = Controller(
        box,
        hostname="127.0.0.1",
        port=port,
        tls_context=context,
        require_starttls=True,
        authenticator=known,
        auth_required=True,
    )
    controller.start()
    settings.SMTP_URL = f"smtp://panel:a%3Ab%40c@127.0.0.1:{port}?tls=starttls"
    settings.MAIL_FROM = "panel@example.org"
    yield box
    controller.stop(no_assert=True)


LETTER = Letter(to="uwe@example.org", subject="s", text="t")


def test_it_is_encrypted_and_signed_in_with_a_certificate_that_is_known(
    guarded: Postbox, certificate: Path, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    with pytest.raises(NotDelivered, match="certificate"):
        mail.send(LETTER)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    mail.send(LETTER)
    assert [it["To"] for it in guarded.letters] == ["uwe@example.org"]
    settings.SMTP_URL = settings.SMTP_URL.replace("a%3Ab", "wrong")
    with pytest.raises(NotDelivered, match="535"):
        mail.send(LETTER)


@pytest.mark.parametrize(
    ("url", "host", "port", "tls"),
    [
        ("smtp://mail.example.org", "mail.example.org", 587, "starttls"),
        ("smtps://mail.example.org", "mail.example.org", 465, "on"),
        ("smtp://localhost:25", "localhost", 25, "off"),
        ("smtp://mail.example.org:25?tls=off", "mail.example.org", 25, "off"),
    ],
)
def test_an_address_says_how_it_is_encrypted(
    url: str, host: str, port: int, tls: str
) -> None:
    server = mail.server_of(url)
    assert (server.host, server.port, server.tls) == (host, port, tls)


@pytest.mark.parametrize(
    "url", ["mail.example.org", "http://a", "smtp://", "smtp://a?tls=x"]
)
def test_what_is_no_address_is_said_to_be_none(url: str) -> None:
    with pytest.raises(Invalid, match="KVMWEB_SMTP_URL"):
        mail.server_of(url)
