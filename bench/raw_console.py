"""The product's console process, but every ticket leads to one address.

`python -m bench.raw_console HOST:PORT` measures the way of bytes without a screen.
"""

import os
import socket
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kvmweb.settings")
django.setup()

from django.conf import settings

from guests import console, proxy


class _Source(proxy.Screen):
    """What a ticket opens here."""

    def __init__(self, place: tuple[str, int]) -> None:
        self.socket = socket.create_connection(place)
        self.filter = None

    def close(self) -> None:
        self.socket.close()


class _ToTheSource(proxy.Tickets):
    """Takes tickets as the product does."""

    def __init__(self, place: tuple[str, int]) -> None:
        super().__init__("")
        self._place = place

    def lookup(self, token: str) -> proxy.Screen:
        console.take(token)
        return _Source(self._place)


def main(host: str, port: int) -> None:
    """Serve in place of the product's console process."""
    with proxy.Server(settings.INTERNAL_SOCKETS / proxy.SOCKET) as server:
        server.token_plugin = _ToTheSource((host, port))
        server.serve_forever()


if __name__ == "__main__":
    name, number = sys.argv[1].rsplit(":", 1)
    main(name, int(number))
