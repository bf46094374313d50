"""The console process: websockify, which takes tickets and opens screens."""

import signal
import threading
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import DatabaseError, connections

from guests import proxy
from kvmweb import heartbeat
from kvmweb.operations.queue import WORKER
from kvmweb.virt import children


class Command(BaseCommand):
    """`manage.py console`; ends by SIGTERM or SIGINT, and every screen with it."""

    help = "Serves consoles to the web process, on a socket in the data folder."
    requires_system_checks = ()  # bootstrap has made them; they read every door

    def handle(self, *args: Any, **options: Any) -> None:
        """Serve until told to end."""
        path = _fresh(settings.INTERNAL_SOCKETS / proxy.SOCKET)
        with proxy.Server(path) as server:
            path.chmod(0o600)
            threading.Thread(target=_tell, name="telling", daemon=True).start()
            children.warm_up()
            for sign in (signal.SIGTERM, signal.SIGINT):
                signal.signal(sign, lambda *_: _end(server))
            server.serve_forever(poll_interval=1)
        children.stop()


def _fresh(path: Path) -> Path:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    return path


def _end(server: proxy.Server) -> None:
    threading.Thread(target=server.shutdown).start()  # it waits for the loop we are in


def _tell() -> None:
    pause = threading.Event()
    while True:
        try:
            heartbeat.beat("console", WORKER)
        except DatabaseError:
            connections.close_all()
        pause.wait(heartbeat.EVERY_S)
