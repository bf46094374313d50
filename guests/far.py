"""A guest on its host, for the length of an operation: asked, changed, waited for.

A client's error is not a failure: after a call that was not answered in time the host
is asked what came true, by UUID, before anything is said about it.
"""

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from hosts.models import Host
from hosts.services import address_of, need_up
from kvmweb.errors import Conflict, HostTimeout, HostUnreachable, NotFound
from kvmweb.operations.run import Run
from kvmweb.virt import connection, domains
from kvmweb.virt.types import DomainState

ASK_S = 25.0  # how long a host that left a call unanswered is asked what came true
_POLL_S = 0.5
_QUICK_S = 0.05

# None: the host does not know it any more, as with a transient guest that stopped.
OFF: frozenset[DomainState | None] = frozenset(
    {DomainState.SHUTOFF, DomainState.CRASHED, None}
)
Verb = Callable[..., Any]


class Far:
    """One guest on a connected host."""

    def __init__(
        self, run: Run, host: Host, there: connection.Host, uuid: UUID
    ) -> None:
        self.host = host
        self.there = there
        self.uuid = uuid
        self._run = run
        self._name = run.operation.guest_name

    def run(self, verb: Verb, *args: Any, **kwargs: Any) -> Any:
        """What a verb about this guest says; a plain call."""
        return self.there.run(verb, self.uuid, *args, **kwargs)

    def state(self) -> DomainState | None:
        """How it is now; None when the host does not know it."""
        state: DomainState | None = self.run(domains.state)
        return state

    def make(self, verb: Verb, wanted: Collection[DomainState | None]) -> None:
        """Run the verb and see to it that the guest gets into one of these states.

        What is so already is done. Raises what the verb raises when it is not, and
        HostTimeout when nobody can say.
        """
        try:
            self.run(verb)
        except HostTimeout as error:
            self._ask_afterwards(error, wanted)
            return
        except (Conflict, NotFound):
            if self.state() not in wanted:
                raise
            self._run.log(f"{self._name} was so already.")
            return
        if not self.reaches(wanted, ASK_S):
            state = self.state()
            raise Conflict(f"{self._name} is {state or 'gone'} afterwards, strangely.")

    def again(self, verb: Verb) -> None:
        """Run a verb once more where it may be too late for it."""
        try:
            self.run(verb)
        except (Conflict, NotFound):
            return

    def reaches(
        self,
        wanted: Collection[DomainState | None],
        within_s: float,
        meanwhile: Callable[[float], None] = lambda _waited_s: None,
    ) -> bool:
        """Whether it gets into one of these states in time.

        `meanwhile` is called after each look with the seconds waited, and may raise.
        """
        begun = time.monotonic()
        while self.state() not in wanted:
            waited_s = time.monotonic() - begun
            if waited_s > within_s:
                return False
            meanwhile(waited_s)
            time.sleep(_QUICK_S if waited_s < 1 else _POLL_S)
        return True

    def _ask_afterwards(
        self, error: HostTimeout, wanted: Collection[DomainState | None]
    ) -> None:
        """The host did not answer: find out what came true. Raises what is known."""
        self._run.progress(0.5, "the host did not answer; asking what came true")
        self._run.log(error.detail)
        state = state_afterwards(self.host, self.uuid, wanted)
        if state not in wanted:
            raise HostTimeout(
                f"{self.host.name} did not answer in time; {self._name} is "
                f"{state or 'gone'} there now.",
                hint="It may still come true; its page shows when it does.",
            ) from error
        self._run.log(f"It came true nevertheless: {self._name} is {state or 'gone'}.")


def state_afterwards(
    host: Host, uuid: UUID, wanted: Collection[DomainState | None]
) -> DomainState | None:
    """The state, asked anew until it is a wanted one or patience ends.

    Raises HostTimeout when the host never answers: then the outcome is not known.
    """
    until = time.monotonic() + ASK_S
    heard, state = False, None
    while True:
        try:
            with connection.connect(address_of(host)) as there:
                state = there.run(domains.state, uuid)
                heard = True
        except HostUnreachable as error:
            if time.monotonic() > until and not heard:
                raise HostTimeout(
                    f"{host.name} did not answer in time and cannot be asked now: what "
                    "came true is not known.",
                    hint="The guest's page shows it as soon as its host answers.",
                ) from error
        if (heard and state in wanted) or time.monotonic() > until:
            return state
        time.sleep(1)


@contextmanager
def far_guest(run: Run, uuid: UUID | None = None) -> Iterator[Far]:
    """The operation's guest on the host it was asked for. Raises Conflict, HostError."""
    host = home_of(run)
    guest = uuid or run.operation.guest
    if guest is None:
        raise NotFound("This operation is about no guest.")
    with connection.connect(address_of(host)) as there:
        yield Far(run, host, there, guest)


def home_of(run: Run) -> Host:
    """The host the operation was asked for, if it still answers.

    Raises NotFound when it was removed, Conflict when it is down.
    """
    host = Host.objects.filter(pk__in=[run.operation.host]).first()
    if host is None:
        raise NotFound(f"{run.operation.host_name} was removed meanwhile.")
    need_up(host)
    return host
