"""What a host has besides domains, looked at when it says so and now and then."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from kvmweb.errors import AppError, HostUnreachable

T = TypeVar("T")
_COALESCE_S = 0.02


class Place(Generic[T]):
    """One kind of thing (all pools, all networks) and a thread that looks at it.

    A hung file server can hold up a look at the pools for ever; it holds up no more.
    """

    def __init__(
        self,
        look: Callable[[], T],
        tell: Callable[[T], None],
        lost: Callable[[HostUnreachable], None],
        *,
        every_s: Callable[[], float],
    ) -> None:
        self._look, self._tell, self._lost, self._every_s = look, tell, lost, every_s
        self._woken = threading.Event()
        self._seen = threading.Event()
        self._ended = False
        self.value: T | None = None

    def start(self) -> None:
        """Begin to look."""
        threading.Thread(target=self._run, name="place", daemon=True).start()

    def end(self) -> None:
        """Look no more."""
        self._ended = True
        self._woken.set()

    def wake(self) -> None:
        """Look again soon."""
        self._woken.set()

    def wait(self, timeout_s: float) -> bool:
        """Whether the first look has ended within this time."""
        return self._seen.wait(timeout_s)

    def _run(self) -> None:
        while not self._ended:
            self._woken.clear()
            try:
                self._take(self._look())
            except HostUnreachable as error:
                self._lost(error)
                return
            except AppError:  # not this time; the host will say so elsewhere
                self._seen.set()
            if self._woken.wait(self._every_s()) and not self._ended:
                threading.Event().wait(_COALESCE_S)

    def _take(self, value: T) -> None:
        changed = value != self.value
        self.value = value
        self._seen.set()
        if changed and not self._ended:
            self._tell(value)
