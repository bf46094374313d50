"""The eye on one host: the main of a child process that watches it and tells the parent.

It may hang with its host. It says something every tick, so a parent that hears nothing
for a while kills it. It ends itself when nobody listens any more.
"""

import gc
import itertools
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Protocol, Self

import libvirt

from kvmweb.errors import AppError, HostTimeout, HostUnreachable
from kvmweb.virt import networks, storage
from kvmweb.virt.abilities import Surroundings
from kvmweb.virt.addresses import AddressBook
from kvmweb.virt.around import Around
from kvmweb.virt.events import Kind, Wake, listening
from kvmweb.virt.looking import STARTS, Picture
from kvmweb.virt.opening import open_libvirt
from kvmweb.virt.places import Place
from kvmweb.virt.pulse import Pulse
from kvmweb.virt.reading import host_facts
from kvmweb.virt.rounds import Rounds
from kvmweb.virt.strain import EVERY_S, StrainMeter
from kvmweb.virt.ticks import PackedTick
from kvmweb.virt.types import (
    Address,
    DomainSeen,
    DomainState,
    DomainVanished,
    FullLook,
    GuestStrain,
    Lost,
    NetworkFacts,
    NetworksSeen,
    News,
    PoolFacts,
    StorageSeen,
    StrainSeen,
    SurroundingsSeen,
    Transport,
)

SILENCE_S = 10.0  # a host that answers no small call for so long hangs
_ASK_EVERY = 3  # rounds
_HEART_S = 3.0
_STORAGE_S = 30.0
_NETWORKS_S = 30.0
_LEASES_S = 5.0  # they are not announced
_AROUND_S = 60.0
_PLACES_WAIT_S = 5.0
_abandoned: list[ExitStack] = []  # connections whose closing would hang


class Channel(Protocol):
    """Where news go; raises OSError when nobody is there to hear them."""

    def send(self, news: News | PackedTick, /) -> None: ...


def watch(
    channel: Channel,
    address: Address,
    *,
    tick_s: float = 2.0,
    full_look_s: float = 60.0,
) -> None:
    """Watch one host until it is lost, which is the last news, or nobody listens.

    First comes a FullLook, then what changes, a Tick every `tick_s` and a FullLook
    every `full_look_s`. A tick without guests only says that the host answers; some
    may come before the first FullLook where that takes long.
    """
    # A tick makes hundreds of short-lived objects and no cycles: don't look for any.
    gc.set_threshold(50_000, 20, 100)
    teller = _Teller(channel)
    stack = ExitStack()
    try:
        quiet = stack.enter_context(_quiet(address))
        conn = stack.enter_context(open_libvirt(address))
        side = stack.enter_context(_Side(address, conn, quiet))
        eye = _Eye(conn, side, teller, tick_s=tick_s, full_look_s=full_look_s)
        stack.enter_context(listening(conn, eye.wake))
        eye.watch()
    except AppError as error:
        teller.tell_last(Lost(error.detail, error.hint, error.code))
        _abandoned.append(stack.pop_all())
    finally:
        stack.close()


def _quiet(address: Address) -> AbstractContextManager[libvirt.virConnect | None]:
    """A connection for many small calls, which needs neither events nor keepalive."""
    if address.transport == Transport.TEST:
        return nullcontext()  # another one would be another host
    return open_libvirt(address, events=False)


class _Side:
    """More connections to the same host, for what may hang.

    While one call hangs, libvirt's client may let the answers to others on the same
    connection lie until its next keepalive, five seconds later.
    """

    def __init__(
        self,
        address: Address,
        conn: libvirt.virConnect,
        quiet: libvirt.virConnect | None,
    ) -> None:
        self._address, self._conn, self._quiet = address, conn, quiet
        self._lock = threading.Lock()
        self._stack = ExitStack()
        self._shared: libvirt.virConnect | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    def own(self) -> AbstractContextManager[libvirt.virConnect]:
        """For the pulse alone: the quiet one, then new ones.

        Raises HostUnreachable, HostError.
        """
        quiet, self._quiet = self._quiet, None
        return nullcontext(quiet) if quiet else self._another()

    def _another(self) -> AbstractContextManager[libvirt.virConnect]:
        if self._address.transport == Transport.TEST:
            return nullcontext(self._conn)
        return open_libvirt(self._address)

    def shared(self) -> libvirt.virConnect:
        """The one for what may hang and is in no hurry."""
        with self._lock:
            if self._shared is None:
                self._shared = self._stack.enter_context(self._another())
            return self._shared


class _Teller:
    """Sends the news of many threads one after the other, until the last."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._lock = threading.Lock()
        self.over = threading.Event()

    def tell(self, news: News | PackedTick) -> None:
        """Send this, unless it is over."""
        with self._lock:
            if self.over.is_set():
                return
            try:
                self._channel.send(news)
            except OSError:
                self.over.set()  # nobody listens

    def tell_last(self, news: Lost) -> None:
        """Send this, and nothing after it."""
        self.tell(news)
        self.over.set()


class _Eye:
    """All that watches one host, and when it ends."""

    def __init__(
        self,
        conn: libvirt.virConnect,
        side: _Side,
        teller: _Teller,
        *,
        tick_s: float,
        full_look_s: float,
    ) -> None:
        self._conn, self._teller, self._full_look_s = conn, teller, full_look_s
        self._answered_at = time.monotonic()
        self._error: AppError | None = None
        self._ended = threading.Event()
        self._shown = False
        self._picture = Picture(conn, self._tell_domain, self._lost)
        self._book = AddressBook(side.shared, self._picture.readdress)
        self._picture.addresses = self._book.of
        self._rounds = Rounds(conn, self._picture)
        self._storage: Place[tuple[PoolFacts, ...]] = Place(
            lambda: storage.look(side.shared()),
            self._tell_pools,
            self._lost,
            every_s=lambda: _STORAGE_S,
        )
        self._networks: Place[tuple[NetworkFacts, ...]] = Place(
            lambda: networks.look(conn),
            self._tell_networks,
            self._lost,
            every_s=self._networks_s,
        )
        self._around: Place[Surroundings] = Place(
            Around(side.shared).look,
            lambda seen: self._teller.tell(SurroundingsSeen(seen)),
            self._lost,
            every_s=lambda: _AROUND_S,
        )
        meter = StrainMeter(side.shared)
        self._strain: Place[tuple[GuestStrain, ...]] = Place(
            meter.look, self._tell_strain, self._lost, every_s=lambda: EVERY_S
        )
        self._pulse = Pulse(
            side.own,
            self._tell_tick,
            self._lost,
            vcpus=self._picture.vcpus,
            tick_s=tick_s,
        )

    def watch(self) -> None:
        """Until nobody listens. Raises HostUnreachable, HostError when the host went."""
        self._hear_the_end()
        self._start_thread(self._beat)
        try:
            self._start_thread(self._go)
            self._stay()
        finally:
            self._ended.set()
            places = (self._storage, self._networks, self._around, self._strain)
            for part in (self._pulse, self._picture, *places):
                part.end()
        if self._error is not None:
            raise self._error

    def _stay(self) -> None:
        while not self._over():
            self._ended.wait(1.0)
            if self._shown:
                self._pulse.relieve()
                if self._pulse.quiet and self._silence_s < 2 * _HEART_S:
                    self._pulse.say_alive()
            if not self._picture.replace_stuck():
                self._lost(HostTimeout("Too many looks at guests of this host hang."))

    @property
    def _silence_s(self) -> float:
        return time.monotonic() - self._answered_at

    def _over(self) -> bool:
        """Whether it ends: nobody listens, the host went, or it does not answer."""
        if self._silence_s > SILENCE_S:
            self._lost(
                HostTimeout(
                    f"libvirt took a call and did not answer within {SILENCE_S:g} s.",
                    hint="Does libvirtd hang there? Restarting it leaves guests running.",
                )
            )
        return self._ended.is_set() or self._teller.over.is_set()

    # What ends it

    def _lost(self, error: AppError) -> None:
        self._error = self._error or error
        self._ended.set()

    def _hear_the_end(self) -> None:
        def closed(_conn: object, reason: int, _data: object) -> None:
            said = _CLOSED.get(reason, "The connection to libvirt was closed.")
            self._lost(HostUnreachable(said, hint="Was libvirtd stopped there?"))

        try:
            self._conn.registerCloseCallback(closed, None)
        except libvirt.libvirtError:
            return  # the test driver has no wire that could break

    def _beat(self) -> None:
        """Ask something small when nothing else was answered lately."""
        while not self._ended.wait(_HEART_S):
            if self._silence_s < _HEART_S:
                continue
            try:
                self._conn.getLibVersion()
            except libvirt.libvirtError:
                continue  # the close callback says it in words
            self._answered_at = time.monotonic()

    def _start_thread(self, work: Callable[[], None]) -> None:
        threading.Thread(target=work, name=work.__name__, daemon=True).start()

    # What is seen

    def wake(self, wake: Wake) -> None:
        """Look again at what this is about. Never waits."""
        if wake.kind == Kind.DOMAIN:
            self._picture.wake(wake.uuid, wake.word)
            if wake.word in STARTS:
                self._networks.wake()  # it may ask for an address
        elif wake.kind == Kind.POOL:
            self._storage.wake()
        else:
            self._networks.wake()

    def _go(self) -> None:
        """From the first look on: rounds, and now and then all of it again."""
        try:
            self._first_look()
            self._pulse.start()
            self._around.start()  # seconds, where libvirt tries its QEMU first
            self._strain.start()
            full_look_at = time.monotonic() + self._full_look_s
            for rounds in itertools.count(1):
                if self._ended.wait(self._rounds.pause_s):
                    return
                self._rounds.go()
                if rounds % _ASK_EVERY == 0:
                    self._book.ask(list(self._picture.facts.values()))
                if time.monotonic() > full_look_at:
                    self._rounds.look_at_all()
                    self._until_looked()
                    self._full_look()
                    full_look_at = time.monotonic() + self._full_look_s
        except AppError as error:
            self._lost(error)

    def _first_look(self) -> None:
        self._storage.start()
        self._networks.start()
        self._rounds.look_at_all()
        self._picture.start()
        self._until_looked()
        self._full_look()

    def _until_looked(self) -> None:
        """Wait for the looks that are due, and say meanwhile that the host answers."""
        while self._picture.waiting and not self._ended.wait(0.02):
            if not self._shown and self._pulse.quiet:
                self._pulse.say_alive()

    def _full_look(self) -> None:
        host = host_facts(self._conn)
        self._storage.wait(_PLACES_WAIT_S)
        self._networks.wait(_PLACES_WAIT_S)
        with self._picture.lock:
            self._shown = True
            self._teller.tell(
                FullLook(
                    host=host,
                    domains=tuple(self._picture.facts.values()),
                    pools=self._storage.value or (),
                    networks=self._networks.value or (),
                    pools_known=self._storage.value is not None,
                    networks_known=self._networks.value is not None,
                    around=self._around.value,
                )
            )
        self._answered_at = time.monotonic()

    def _networks_s(self) -> float:
        """How long till the next look: a guest that runs may get a lease any time."""
        waiting = any(
            facts.state == DomainState.RUNNING and facts.nics
            for facts in list(self._picture.facts.values())
        )
        return _LEASES_S if waiting else _NETWORKS_S

    def _tell_domain(self, news: DomainSeen | DomainVanished) -> None:
        if self._shown:  # else it is in the first full look
            self._teller.tell(news)

    def _tell_pools(self, pools: tuple[PoolFacts, ...]) -> None:
        if self._shown:
            self._teller.tell(StorageSeen(pools))

    def _tell_networks(self, seen: tuple[NetworkFacts, ...]) -> None:
        if self._book.set_leases(seen):
            for uuid in list(self._picture.facts):
                self._picture.readdress(uuid)
        if self._shown:
            self._teller.tell(NetworksSeen(seen))

    def _tell_strain(self, seen: tuple[GuestStrain, ...]) -> None:
        if seen:  # the first look can tell nothing
            self._teller.tell(StrainSeen(seen))

    def _tell_tick(self, tick: PackedTick) -> None:
        if tick.packed or tick.host.cpu_percent is not None:
            self._answered_at = time.monotonic()
        self._teller.tell(tick)


_CLOSED = {
    libvirt.VIR_CONNECT_CLOSE_REASON_ERROR: "The connection to libvirt broke.",
    libvirt.VIR_CONNECT_CLOSE_REASON_EOF: "libvirt on the host ended the connection.",
    libvirt.VIR_CONNECT_CLOSE_REASON_KEEPALIVE: "The host does not answer any more.",
}
