"""A deadline of ours on everything that is asked of a host.

libvirt's own keepalive is not a timeout: a hung libvirtd blocks calls, and opening, for
ever. So calls run in a child process that is killed when its time is up:

    with connection.connect(address) as host:
        domain = host.run(domains.look, uuid)
        host.run(domains.start, uuid)

Children that are done stay warm for half a minute, so the next call on that host costs
no new handshake.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar

import libvirt

from kvmweb.errors import AppError, HostTimeout, HostUnreachable
from kvmweb.virt import children, uri
from kvmweb.virt.children import Channel, Child
from kvmweb.virt.errors import explain
from kvmweb.virt.opening import open_libvirt
from kvmweb.virt.types import Address

P = ParamSpec("P")
R = TypeVar("R")

OPEN_S = 5.0
READ_S = 10.0
CHANGE_S = 60.0
DESTROY_S = 30.0

MAX_PER_HOST = 4
_IDLE_S = 30.0
_WAKE_S = 0.5  # a warm child answers within a millisecond or is no good


def verb(*, deadline_s: float) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Mark a function of (connection, …) as something to ask of a host in this time."""

    def mark(function: Callable[P, R]) -> Callable[P, R]:
        function.deadline_s = deadline_s  # type: ignore[attr-defined]
        return function

    return mark


class Host:
    """A host that is connected for the length of a `with`; one call at a time."""

    def __init__(self, child: Child, label: str, deadline_s: float | None) -> None:
        self._child = child
        self._label = label
        self._deadline_s = deadline_s

    def within(self, deadline_s: float) -> "Host":
        """The same host, with this deadline instead of the verb's own."""
        return Host(self._child, self._label, deadline_s)

    def run(
        self,
        verb: Callable[Concatenate[libvirt.virConnect, P], R],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """What `verb(connection, …)` returns in the child.

        `verb` is a function of a module; arguments and results are plain values. Raises
        what it raised (libvirt's errors explained), and HostTimeout when its deadline
        has passed or the child ended: then nobody knows yet what came true.
        """
        deadline_s = self._deadline_s or getattr(verb, "deadline_s", READ_S)
        doing = verb.__name__.replace("_", " ")
        answered = False
        try:
            self._child.channel.send(_Call(verb, args, kwargs))
            answered = self._child.channel.poll(deadline_s)
            if answered:
                result: R = self._received()
                return result
        except (EOFError, OSError) as error:
            self._child.kill()
            detail = f"The connection to {self._label} ended in the middle of “{doing}”"
            raise HostTimeout(f"{detail}; {_UNKNOWN}") from error
        finally:
            if not answered:
                self._child.kill()
        detail = f"{self._label} did not answer within {deadline_s:g} s to “{doing}”"
        raise HostTimeout(f"{detail[0].upper()}{detail[1:]}; {_UNKNOWN}")

    def _received(self) -> Any:
        outcome = self._child.channel.recv()
        if isinstance(outcome, HostUnreachable):
            self._child.kill()  # that connection is broken
        if isinstance(outcome, AppError):
            raise outcome
        return outcome.value


_UNKNOWN = "what came true there is not known yet."


@contextmanager
def connect(
    address: Address, *, open_deadline_s: float = OPEN_S, fresh: bool = False
) -> Iterator[Host]:
    """A connected host. Opening takes at most `open_deadline_s`, waiting included.

    `fresh` connects anew even if a warm connection is there. At most MAX_PER_HOST at once
    for one address, and one attempt to connect at a time.
    Raises Invalid, HostUnreachable, HostError, Unavailable; nothing was done then.
    """
    uri.validate(address)
    children.warm_up()  # not on the host's account
    _sweep()
    place = _place(address)
    until = time.monotonic() + open_deadline_s
    with place.seat(until):
        child = place.take(until, open_deadline_s, fresh=fresh)
        try:
            yield Host(child, uri.label_of(address), None)
        except AppError:
            place.give_back(child)
            raise
        except BaseException:
            child.kill()
            raise
        place.give_back(child)


def spawn(
    target: Callable[Concatenate[Channel, Address, P], None],
    address: Address,
    *args: P.args,
    **kwargs: P.kwargs,
) -> Child:
    """Run `target(channel, address, …)` in a child of its own, for as long as it likes.

    It may block on the host for ever: the caller reads `child.channel` (or waits on
    `child`), judges by its own clock, and calls `child.kill()`, always, in the end.
    """
    uri.validate(address)
    return children.fork(target, address, *args, **kwargs)


def close_all() -> None:
    """End every warm child and the server that forks them; calls under way break."""
    with _places_lock:
        places = list(_places.values())
        _places.clear()
    for place in places:
        place.drop_idle()
    children.stop()


@dataclass(frozen=True, slots=True)
class _Call:
    """To the child: run this."""

    verb: Callable[..., object]
    args: tuple[object, ...]
    kwargs: dict[str, object]


@dataclass(frozen=True, slots=True)
class _Rest:
    """To the child: nobody needs you; leave when that stays so for this long."""

    patience_s: float = _IDLE_S


@dataclass(frozen=True, slots=True)
class _Wake:
    """To the child: stay, and say whether your connection is alive."""


@dataclass(frozen=True, slots=True)
class _Done:
    """From the child: what a verb returned."""

    value: object


class _Place:
    """The children of one address."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._label = uri.label_of(address)
        self._seats = threading.BoundedSemaphore(MAX_PER_HOST)
        self._attempt = threading.Lock()
        self._lock = threading.Lock()
        self._idle: list[Child] = []
        self._closed = False

    @contextmanager
    def seat(self, until: float) -> Iterator[None]:
        """One of the few places; waits for it until then."""
        if not self._seats.acquire(timeout=max(0, until - time.monotonic())):
            raise HostUnreachable(
                f"{MAX_PER_HOST} calls to {self._label} have not come back yet.",
                hint="It may hang; try again when they have ended.",
            )
        try:
            yield
        finally:
            self._seats.release()

    def take(self, until: float, open_deadline_s: float, *, fresh: bool) -> Child:
        """A warm child, else a new one that is connected."""
        while not fresh and (child := self._pop()):
            if _is_awake(child):
                return child
            child.kill()
        if not self._attempt.acquire(timeout=max(0, until - time.monotonic())):
            raise HostUnreachable(
                f"Could not connect to {self._label}: another attempt still waits.",
                hint="The host may hang.",
            )
        try:
            return self._opened(until, open_deadline_s)
        finally:
            self._attempt.release()

    def _opened(self, until: float, open_deadline_s: float) -> Child:
        child = children.fork(_serve, self._address)
        with ExitStack() as unless_opened:
            unless_opened.callback(child.kill)
            if not child.channel.poll(max(0, until - time.monotonic())):
                raise HostUnreachable(
                    f"Could not connect to {self._label}: libvirt there did not answer "
                    f"within {open_deadline_s:g} s.",
                    hint="It may hang; look at libvirtd on the host.",
                )
            try:
                fault = child.channel.recv()
            except (EOFError, OSError) as error:
                detail = f"Could not connect to {self._label}: our own process ended."
                raise HostUnreachable(detail) from error
            if fault is not None:
                raise fault
            unless_opened.pop_all()
        return child

    def give_back(self, child: Child) -> None:
        """Keep it warm for the next one, if it is still sound."""
        try:
            child.channel.send(_Rest())
        except OSError:  # killed meanwhile
            child.kill()
            return
        with self._lock:
            if not self._closed and len(self._idle) < MAX_PER_HOST:
                self._idle.append(child)
                return
        child.kill()

    def sweep(self) -> None:
        """Let go of the children that have left by themselves."""
        with self._lock:
            left = [child for child in self._idle if child.channel.poll(0)]
            self._idle = [child for child in self._idle if child not in left]
        for child in left:
            child.kill()

    def drop_idle(self) -> None:
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for child in idle:
            child.kill()

    def _pop(self) -> Child | None:
        with self._lock:
            return self._idle.pop() if self._idle else None


def _is_awake(child: Child) -> bool:
    try:
        child.channel.send(_Wake())
        return child.channel.poll(_WAKE_S) and bool(child.channel.recv())
    except (EOFError, OSError):
        return False


_places: dict[Address, _Place] = {}
_places_lock = threading.Lock()


def _place(address: Address) -> _Place:
    with _places_lock:
        return _places.setdefault(address, _Place(address))


def _sweep() -> None:
    with _places_lock:
        places = list(_places.values())
    for place in places:
        place.sweep()


# From here on: in the child.


def _serve(channel: Channel, address: Address) -> None:
    """Connect, say so with None or the error, then answer until nobody asks."""
    with ExitStack() as stack:
        try:
            connection = stack.enter_context(open_libvirt(address))
        except AppError as error:
            channel.send(error)
            return
        channel.send(None)
        _answer(channel, connection)
        channel.close()  # before the goodbye, which a hung host may hold up


def _answer(channel: Channel, connection: libvirt.virConnect) -> None:
    patience_s: float | None = None
    while channel.poll(patience_s):
        try:
            message = channel.recv()
        except EOFError:
            return
        match message:
            case _Rest():
                patience_s = message.patience_s
            case _Wake():
                patience_s = None
                channel.send(bool(connection.isAlive()))
            case _Call():
                channel.send(_outcome(connection, message))


def _outcome(connection: libvirt.virConnect, call: _Call) -> _Done | AppError:
    """What the verb returned or what went wrong; a mistake of ours ends the child."""
    try:
        return _Done(call.verb(connection, *call.args, **call.kwargs))
    except AppError as error:
        return error
    except libvirt.libvirtError as error:
        return explain(error, f"do “{call.verb.__name__.replace('_', ' ')}”")
