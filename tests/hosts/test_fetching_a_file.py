"""A file of the web is fetched from public machines only, whatever redirects say."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from hosts.storage import origins
from kvmweb.errors import HostError, Invalid

CONTENT = b"what was asked for"


class Handler(BaseHTTPRequestHandler):
    """Answers as its path says."""

    def do_GET(self) -> None:
        if self.path.startswith("/to?"):
            self.send_response(302)
            self.send_header("Location", self.path[4:])
            self.end_headers()
        elif self.path == "/file":
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(CONTENT)
        else:
            self.send_error(404)

    def log_message(self, *_args: Any) -> None:
        """Nothing."""


@pytest.fixture
def server(settings: Any) -> Iterator[str]:
    """A web server of this machine, which the settings allow."""
    settings.FETCH_NETWORKS = ("127.0.0.1/32",)
    there = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=there.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{there.server_port}"
    there.shutdown()
    thread.join()
    there.server_close()


def read(url: str) -> bytes:
    with origins.opened(url) as answer:
        return answer.read()


def test_it_is_read_where_it_was_moved_to(server: str) -> None:
    assert read(f"{server}/file") == CONTENT
    assert read(f"{server}/to?{server}/file") == CONTENT
    assert read(f"{server}/to?/file") == CONTENT


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://127.1/",
        "http://0/",
        "http://localhost/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://10.0.0.1/",
        "http://192.168.1.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[fe80::1]/",
        "http://[fd00::1]/",
        "http://100.64.0.1/",
        "http://224.0.0.1/",
        "http://0.0.0.0/",
    ],
)
def test_a_private_machine_is_not_asked(url: str) -> None:
    with pytest.raises(Invalid, match="private network"):
        read(url)


@pytest.mark.parametrize(
    "target", ["http://127.0.0.2/", "http://169.254.169.254/", "http://[::1]/x"]
)
def test_nor_by_a_redirect(server: str, target: str) -> None:
    with pytest.raises(Invalid, match="private network"):
        read(f"{server}/to?{target}")


@pytest.mark.parametrize("target", ["file:///etc/shadow", "ftp://example.org/"])
def test_nor_is_anything_but_the_web(server: str, target: str) -> None:
    with pytest.raises(Invalid):
        read(f"{server}/to?{target}")


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/shadow",
        "ftp://example.org/a",
        "example.org/a",
        "http://",
        "http://u:p@example.org/",
        "http://example.org:99999/",
        "http://example.org:0/",
        "http://example.org/a b",
        "http://example.org/a\r\nHost: x",
        "http://example.org/" + "a" * 2000,
        "http://[/",
    ],
)
def test_what_is_no_address_is_refused_at_once(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        origins.check(url)
    assert list(caught.value.errors) == ["url"]


def test_a_checksum_has_its_form() -> None:
    origins.check("https://example.org/a", "aB" * 32)
    with pytest.raises(Invalid) as caught:
        origins.check("https://example.org/a", "xy" * 32)
    assert list(caught.value.errors) == ["sha256"]


def test_it_is_not_there_or_goes_round(server: str) -> None:
    with pytest.raises(HostError, match="answered 404"):
        read(f"{server}/nothing")
    around = f"{server}/to?" * 7
    with pytest.raises(HostError, match="too often"):
        read(f"{around}{server}/file")
