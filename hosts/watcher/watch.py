"""The watcher's own loop: hold leases, and an attention for each host that is ours."""

import logging
import os
import secrets
import socket
import threading
import time

from django.db import InterfaceError, OperationalError, connection

from hosts.watcher.attention import Attention
from hosts.watcher.leases import Leases, Wanted
from kvmweb import heartbeat
from kvmweb.virt.connection import close_all

log = logging.getLogger(__name__)

TURN_S = 2.0  # how soon a host that was added, edited or removed is noticed
GOODBYE_S = 3.0


class Watch:
    """Watches this watcher's share of the hosts until told to stop."""

    def __init__(self) -> None:
        host = socket.gethostname()[:60]
        self.name = f"{host}:{os.getpid()}:{secrets.token_hex(4)}"
        self._leases = Leases(self.name)
        self._attentions: dict[int, tuple[Wanted, Attention]] = {}
        self._ending: dict[int, Attention] = {}
        self._beat_at = float("-inf")

    def run(self, stop: threading.Event) -> None:
        """Turn after turn; gives the leases back at the end."""
        while not stop.is_set():
            try:
                self._follow(self._leases.turn())
                self._beat()
            except (OperationalError, InterfaceError) as error:
                log.warning("The database said %s", error)
                connection.close()
            stop.wait(TURN_S)
        self._end()

    def _follow(self, wanted: dict[int, Wanted]) -> None:
        """Watch what is wanted, in the way that is wanted, and nothing else."""
        anew = set()
        for host_id, (way, attention) in list(self._attentions.items()):
            if wanted.get(host_id) == way and attention.is_alive():
                continue
            attention.stop()
            self._ending[host_id] = self._attentions.pop(host_id)[1]
            if host_id in wanted and wanted[host_id] != way:
                anew.add(host_id)
        for host_id, ending in list(self._ending.items()):
            if not ending.is_alive():
                del self._ending[host_id]
        for host_id, way in wanted.items():
            if host_id not in self._attentions:
                self._begin(way, anew=host_id in anew)

    def _begin(self, way: Wanted, *, anew: bool) -> None:
        before = self._ending.pop(way.host_id, None)
        attention = Attention(way.host_id, self.name, after=before, anew=anew)
        attention.start()
        self._attentions[way.host_id] = (way, attention)

    def _beat(self) -> None:
        if time.monotonic() - self._beat_at >= heartbeat.EVERY_S:
            heartbeat.beat("watcher", self.name)
            self._beat_at = time.monotonic()

    def _end(self) -> None:
        attentions = [each for _, each in self._attentions.values()]
        for attention in attentions:
            attention.stop()
        close_all()  # no eye is left, so no attention waits for one
        until = time.monotonic() + GOODBYE_S
        for attention in attentions:
            attention.join(max(0, until - time.monotonic()))
        try:
            self._leases.leave()
            heartbeat.gone("watcher", self.name)
        except (OperationalError, InterfaceError) as error:
            log.warning("The leases run out by themselves: the database said %s", error)
        connection.close()
