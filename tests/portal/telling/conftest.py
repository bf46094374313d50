"""A mail server and a web server of this machine that keep what they are given."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from django.utils import timezone

from deploy.product import free_port
from kvmweb.accounts.models import User
from kvmweb.accounts.services import Asker
from portal.telling import sending, webhooks
from portal.telling.events import Way
from portal.telling.models import Delivery, Webhook
from portal.telling.services import tell
from portal.telling.webhooks import Wish

WEBHOOKS = "/api/v1/webhooks/"
State = Delivery.State


class Postbox:
    """What aiosmtpd hands over; `answer` is what it says to a letter."""

    def __init__(self) -> None:
        self.letters: list[EmailMessage] = []
        self.answer = "250 Taken"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        if self.answer.startswith("250"):
            read = message_from_bytes(envelope.content, policy=policy.default)
            self.letters.append(read)  # type: ignore[arg-type]
        return self.answer

    async def handle_RCPT(
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        if address.startswith("nobody"):
            return "550 No such person here"
        envelope.rcpt_tos.append(address)
        return "250 OK"


@pytest.fixture
def postbox(settings: Any) -> Iterator[Postbox]:
    """A mail server that the settings name."""
    box = Postbox()
    port = free_port()
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    settings.SMTP_URL = f"smtp://127.0.0.1:{port}"
    settings.MAIL_FROM = "kvmweb <panel@example.org>"
    settings.PUBLIC_URL = "https://panel.example.org"
    yield box
    controller.stop(no_assert=True)


@dataclass
class Call:
    """One POST that came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.body)
        return read


@dataclass
class Web:
    """The web server: answers by path, keeps what came."""

    url: str = ""
    calls: list[Call] = field(default_factory=list)
    answers: dict[str, int] = field(default_factory=dict)  # path → status
    over: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    at_once: int = 0
    most_at_once: int = 0

    @contextmanager
    def coming(self, call: Call) -> Iterator[None]:
        """While it is answered."""
        with self.lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            self.calls.append(call)
        try:
            yield
        finally:
            with self.lock:
                self.at_once -= 1


class Server(ThreadingHTTPServer):
    """With what it keeps."""

    daemon_threads = True
    kept: Web


class Handler(BaseHTTPRequestHandler):
    """Answers as the path says."""

    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.kept.coming(Call(self.path, dict(self.headers), body)):
            if self.path == "/slow":
                self._drip()
                return
            self.send_response(self.server.kept.answers.get(self.path, 200))
            self.send_header("Location", "/elsewhere")
            self.end_headers()
            if self.path == "/huge":
                for _ in range(10_000):
                    self.wfile.write(b"x" * 65536)

    def _drip(self) -> None:
        """One letter now and then, for ever: each wait is short, their sum is not."""
        while not self.server.kept.over.wait(0.05):
            self.wfile.write(b"H")
            self.wfile.flush()

    def handle(self) -> None:
        with suppress(OSError):  # who called has hung up
            super().handle()

    def log_message(self, *_args: Any) -> None:
        """Nothing."""


@pytest.fixture
def web() -> Iterator[Web]:
    """A web server of this machine."""
    there = Server(("127.0.0.1", 0), Handler)
    there.kept = Web(url=f"http://127.0.0.1:{there.server_port}")
    thread = threading.Thread(target=there.serve_forever, args=(0.05,))
    thread.start()
    yield there.kept
    there.kept.over.set()
    there.shutdown()
    thread.join()
    there.server_close()


Hook = Callable[..., Webhook]


@pytest.fixture
def hook_of(web: Web, settings: Any) -> Hook:
    """Makes webhooks to the web server: `hook_of(uwe, "/path")`."""
    settings.WEBHOOK_PRIVATE = True

    def make(user: User, path: str = "/", **wish: Any) -> Webhook:
        for_all = wish.pop("for_all", False)
        asked = Wish(url=web.url + path, **({"name": path} | wish))
        return webhooks.add(asked, for_all=for_all, by=Asker(user))[0]

    return make


@pytest.fixture
def secret_of(monkeypatch: pytest.MonkeyPatch) -> str:
    """The secret that every new webhook gets."""
    from portal.telling import signing

    made = signing.new_secret()
    monkeypatch.setattr(signing, "new_secret", lambda: made)
    return made


def say(
    *people: User, title: str = "web-1 is ready", event: str = "request.ready"
) -> None:
    """Tell them."""
    told = {"request": 5, "guest": "0b5a"}
    tell(event, people, title=title, text="It runs.", page="/requests/5/", data=told)


def sent(*, now: bool = True) -> list[Delivery]:
    """All deliveries, after everything was tried once more."""
    if now:
        Delivery.objects.update(next_at=timezone.now())
        Webhook.objects.update(not_before=None)
    sending.send(Way.WEBHOOK)
    return list(Delivery.objects.order_by("at", "pk"))
