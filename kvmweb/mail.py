"""Mail, as KVMWEB_SMTP_URL says it goes out: one letter at a time, within a deadline.

smtp://user:password@host:587?tls=starttls — tls may be `starttls`, `on` (encrypted from
the first byte, as with smtps://) or `off`. Without a word it is `on` for smtps://, `off`
for this machine, else `starttls`: no password goes over a wire that anybody reads.
"""

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate, parseaddr
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from django.conf import settings

from kvmweb.deadline import cut_after
from kvmweb.errors import AppError, Invalid

_WAIT_S = 10.0  # for each answer of the server
_WHOLE_S = 45.0  # for all of them together
_FOR_GOOD = 500  # answers from here on will be the same tomorrow
_HERE = {"localhost", "127.0.0.1", "::1"}
_PORTS = {"smtp": 587, "smtps": 465}
_TLS = ("starttls", "on", "off")


class NotDelivered(AppError):
    """It could not be handed over; `final`: nor will it be the next time."""

    status, code, title = 503, "not_delivered", "Not delivered"

    def __init__(self, detail: str, *, hint: str = "", final: bool = False) -> None:
        super().__init__(detail, hint=hint)
        self.final = final


@dataclass(frozen=True, slots=True)
class Letter:
    """What somebody is written. `ident` is the same when it is sent a second time."""

    to: str
    subject: str
    text: str
    html: str = ""
    ident: str = ""


@dataclass(frozen=True, slots=True)
class Server:
    """Where letters are handed over."""

    host: str
    port: int
    tls: str
    username: str = ""
    password: str = ""


def possible() -> bool:
    """Whether letters can be sent at all: a server is named in the settings."""
    return bool(settings.SMTP_URL)


def server_of(url: str) -> Server:
    """What the address says. Raises Invalid for what is none."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS[parts.scheme]
    except (ValueError, KeyError):
        raise _wrong() from None
    if not parts.hostname:
        raise _wrong()
    tls = parse_qs(parts.query).get("tls", [_usual(parts)])[-1]
    if tls not in _TLS:
        raise _wrong()
    return Server(
        parts.hostname,
        port,
        tls,
        unquote(parts.username or ""),
        unquote(parts.password or ""),
    )


def send(letter: Letter) -> None:
    """Hand it to the server. Raises NotDelivered, Invalid when the setting is wrong."""
    if not possible():
        raise NotDelivered("No mail server is set.", hint="Set KVMWEB_SMTP_URL.")
    server = server_of(settings.SMTP_URL)
    written = _written(letter)
    client = _client(server)
    try:
        with (
            _explained(letter, server),
            cut_after(_WHOLE_S, lambda: client.sock),
        ):
            _handed_over(client, server, written)
    finally:
        client.close()


@contextmanager
def _explained(letter: Letter, server: Server) -> Iterator[None]:
    try:
        yield
    except smtplib.SMTPRecipientsRefused as error:
        code = max((code for code, _ in error.recipients.values()), default=0)
        said = f"The mail server does not take mail for {letter.to} ({code})."
        raise NotDelivered(said, final=code >= _FOR_GOOD) from error
    except smtplib.SMTPResponseException as error:
        said = f"The mail server refused it: {error.smtp_code} {_text(error)}"
        raise NotDelivered(said) from error
    except (smtplib.SMTPException, OSError) as error:
        said = f"The mail server {server.host} did not take it: {error}."
        raise NotDelivered(said) from error


def _client(server: Server) -> smtplib.SMTP:
    if server.tls == "on":
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(timeout=_WAIT_S, context=context)
    return smtplib.SMTP(timeout=_WAIT_S)


def _handed_over(client: smtplib.SMTP, server: Server, written: EmailMessage) -> None:
    client._host = server.host  # type: ignore[attr-defined]  # whom the certificate names
    client.connect(server.host, server.port)
    if server.tls == "starttls":
        client.starttls(context=ssl.create_default_context())
    if server.username:
        client.login(server.username, server.password)
    client.send_message(written)
    with suppress(smtplib.SMTPException, OSError):  # it has taken it already
        client.quit()


def _written(letter: Letter) -> EmailMessage:
    name, sender = parseaddr(settings.MAIL_FROM)
    message = EmailMessage()
    try:
        message["From"] = Address(name or "kvmweb", addr_spec=sender)
        message["To"] = Address(addr_spec=letter.to)
    except (ValueError, MessageError) as error:
        said = f"{letter.to} or {sender} is no address of mail."
        raise NotDelivered(said, final=True) from error
    message["Subject"] = " ".join(letter.subject.split())[:200]
    message["Date"] = formatdate()
    if letter.ident:
        domain = sender.rpartition("@")[2]
        message["Message-ID"] = f"<{letter.ident}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.text)
    if letter.html:
        message.add_alternative(letter.html, subtype="html")
    return message


def _usual(parts: SplitResult) -> str:
    if parts.scheme == "smtps":
        return "on"
    return "off" if parts.hostname in _HERE else "starttls"


def _text(error: smtplib.SMTPResponseException) -> str:
    said = error.smtp_error
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    return " ".join(text.split())[:200]


def _wrong() -> Invalid:
    return Invalid(
        "KVMWEB_SMTP_URL is no address of a mail server.",
        hint="It reads like smtp://user:password@mail.example.org:587?tls=starttls.",
    )
