"""`manage.py watcher`: watch the hosts until SIGTERM or SIGINT."""

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from hosts.watcher.watch import Watch


class Command(BaseCommand):
    """Watches this process's share of all hosts, and writes down what they say."""

    help = __doc__
    requires_system_checks = ()  # bootstrap has made them; they read every door

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until told to stop; the leases are given back then."""
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        Watch().run(stop)
