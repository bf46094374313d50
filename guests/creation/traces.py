"""What an operation has made on a host so far: written down first, taken away if it fails.

traces = Traces(run)
traces.volume(path)         # before it is made
traces.domain(uuid)
traces.take_away()          # all of it again
"""

from collections.abc import Callable, Iterator
from uuid import UUID

from guests.far import Far, far_guest
from hosts.storage import holdings
from kvmweb.errors import AppError
from kvmweb.operations.run import Run
from kvmweb.virt import domains, volumes
from kvmweb.virt.types import DomainState

_OFF = frozenset({DomainState.SHUTOFF, DomainState.CRASHED})


class Traces:
    """The notes of one operation, in its `result["made"]`; none when nothing is left."""

    def __init__(self, run: Run) -> None:
        self._run = run
        made = run.result.get("made") or run.params.get("made") or {}
        self.volumes: list[str] = list(made.get("volumes", []))
        self.guest: str = made.get("domain", "")

    def volume(self, path: str) -> None:
        """It is about to be made."""
        if path not in self.volumes:
            self.volumes.append(path)
            self._keep()

    def domain(self, uuid: UUID) -> None:
        """It is about to be defined."""
        self.guest = str(uuid)
        self._keep()

    def stand(self) -> None:
        """All of it is whole and stays."""
        self._run.result.pop("made", None)
        self._run.result.pop("begun", None)

    def take_away(self) -> list[str]:
        """Take all of it away; what could not be, as words, and why is in the log.

        A volume is only deleted once the domain that may run with it is gone.
        """
        steps = list(self._steps())
        for number, (what, step) in enumerate(steps):
            try:
                with far_guest(self._run, self._any()) as far:
                    step(far)
            except AppError as error:
                self._run.log(f"{what} could not be taken away: {error}")
                return [word for word, _ in steps[number:]]
            self._run.log(f"Took {what} away again.")
        return []

    def _any(self) -> UUID | None:
        return UUID(self.guest) if self.guest else None

    def _steps(self) -> Iterator[tuple[str, Callable[[Far], None]]]:
        if self.guest:
            yield f"the guest {self._run.operation.guest_name}", self._undefine
        for path in reversed(self.volumes):
            yield path, lambda far, path=path: self._discard(far, path)  # type: ignore[misc]

    def _undefine(self, far: Far) -> None:
        state = far.state()
        if state is not None and state not in _OFF:
            far.make(domains.force_off, {*_OFF, None})
        if state is not None:
            far.make(domains.undefine, {None})
        self.guest = ""
        self._keep()

    def _discard(self, far: Far, path: str) -> None:
        far.there.run(volumes.discard, path)
        holdings.forget(far.host, path)
        self.volumes.remove(path)
        self._keep()

    def _keep(self) -> None:
        if self.volumes or self.guest:
            made = {"volumes": self.volumes, "domain": self.guest}
            self._run.keep(begun=True, made=made)
        else:
            self.stand()
            self._run.keep()
