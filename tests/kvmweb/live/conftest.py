"""The live socket served for real, and listeners of it."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import uvicorn
from django.conf import settings
from django.test import Client
from websockets.sync.client import ClientConnection, connect

from deploy.product import free_port
from kvmweb.asgi import application
from kvmweb.live import news
from tests.waiting import until


@pytest.fixture
def server(redis_server: str, transactional_db: None) -> Iterator[str]:
    """The product's own application behind Uvicorn; its host and port."""
    port = free_port()
    config = uvicorn.Config(application, port=port, lifespan="off", log_config=None)
    served = uvicorn.Server(config)
    thread = threading.Thread(target=served.run)
    thread.start()
    until(lambda: served.started, 10)
    yield f"127.0.0.1:{port}"
    served.should_exit = True
    thread.join(20)


class Ears:
    """One listener; keeps what it heard."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    def say(self, **words: Any) -> None:
        """Send one message."""
        self.socket.send(json.dumps(words))

    def next(self, *kinds: str, seconds: float = 10) -> dict[str, Any]:
        """The next message of these kinds."""
        deadline = time.monotonic() + seconds
        while True:
            text = self.socket.recv(timeout=max(0, deadline - time.monotonic()))
            message: dict[str, Any] = json.loads(text)
            if message["type"] in kinds:
                return message

    def subscribe(self, *topics: str) -> None:
        """Listen, and wait until Redis carries news to it."""
        self.say(subscribe=topics)
        for _ in topics:
            self.next("subscribed")


@pytest.fixture
def listen(server: str) -> Iterator[Callable[..., Ears]]:
    """Opens sockets: `listen(browser)` with its cookies, `listen(token=…)`."""
    opened = ExitStack()

    def make(browser: Client | None = None, token: str = "", origin: str = "") -> Ears:
        headers = {}
        if browser is not None:
            session = browser.cookies[settings.SESSION_COOKIE_NAME].value
            headers["Cookie"] = f"{settings.SESSION_COOKIE_NAME}={session}"
        query = f"?token={token}" if token else ""
        connection = connect(
            f"ws://{server}/ws/live/{query}",
            additional_headers=headers,
            origin=origin or f"http://{server}",  # type: ignore[arg-type]
        )
        return Ears(opened.enter_context(connection))

    with opened:
        yield make


@pytest.fixture
def ears(listen: Callable[..., Ears], as_admin: Client) -> Ears:
    """An admin who listens to guests and operations, and whom news can reach."""
    found = listen(as_admin)
    found.subscribe("guests", "operations")
    until(lambda: reached(found), 10)
    return found


def reached(ears: Ears, *kinds: str) -> bool:
    """Whether a message comes when something is said; of these kinds, if given."""
    news.publish("operations", "operation", {})
    try:
        ears.next(*(kinds or ("operation",)), seconds=0.3)
    except TimeoutError:
        return False
    return True
