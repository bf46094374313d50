"""A guest's hardware on its host, in a worker: what is to be so is made so.

Everything looks first, so it may be done twice: what is so already is left alone, and
after a call that was not answered the same steps are gone through again, only looking.
"""

import time
from collections.abc import Callable
from typing import Any, TypeVar

from guests.far import ASK_S, Far, far_guest
from guests.hardware.documents import Edit, seated
from guests.hardware.parts import N, copied
from kvmweb.errors import (
    AppError,
    Conflict,
    HostError,
    HostTimeout,
    HostUnreachable,
    NotFound,
    Unsupported,
)
from kvmweb.operations.run import Run
from kvmweb.virt import changes
from kvmweb.virt.changes import Documents
from kvmweb.virt.xml.domain import Domain

T = TypeVar("T")
Find = Callable[[Domain], N | None]

_TRIES = 5  # to write a definition that others change, too
_NO_ROOM = "no more available"  # libvirt's words when no slot is left to plug into
_AS_ASKED = "as asked"


class NotSo(Exception):
    """Only looking, something was found that would have to be changed."""


class Machine:
    """The guest of an operation, its two documents, and what changes them."""

    def __init__(self, run: Run, far: Far, *, only_look: bool = False) -> None:
        self.run = run
        self.far = far
        self.name = run.operation.guest_name
        self.now = run.params.get("when", "now") == "now"
        self._only_look = only_look
        self._read: Documents | None = None

    @property
    def documents(self) -> Documents:
        """Both, as they are since the last change of ours."""
        if self._read is None:
            self._read = self.far.run(changes.documents)
        return self._read

    @property
    def live(self) -> Domain | None:
        """What runs; None when it is off."""
        return Domain.parse(self.documents.live) if self.documents.live else None

    @property
    def config(self) -> Domain | None:
        """What it starts with next; None when it is transient."""
        return Domain.parse(self.documents.config) if self.documents.config else None

    @property
    def domains(self) -> list[Domain]:
        """Those of the two that are there."""
        return [doc for doc in (self.live, self.config) if doc is not None]

    def call(self, verb: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """What a verb that changes something on the host answers."""
        if self._only_look:
            raise NotSo
        self._read = None
        return self.far.there.run(verb, *args, **kwargs)

    def edit(self, edit: Edit) -> bool:
        """Make its definition so; whether anything of it changed.

        Raises Conflict when others change it all the time, Invalid from the edit.
        """

        def make(before: str) -> str:
            doc = Domain.parse(before)
            unedited = str(doc)
            edit(doc)
            return before if str(doc) == unedited else str(doc)

        return self.rewrite(make, strict=False)

    def rewrite(self, make: Callable[[str], str], **conditions: Any) -> bool:
        """Make its definition what `make` makes of it; whether it is another one then.

        `conditions` are those of changes.define. What others do to it meanwhile is
        kept: it is made anew from what they made of it.
        """
        for _ in range(_TRIES):
            before = self.documents.config
            wanted = make(before) if before else before
            if wanted == before:
                return False
            about = {"uuid": self.far.uuid, "before": before, **conditions}
            try:
                self.call(changes.define, wanted, **about)
            except changes.Changed:
                self._read = None
                continue
            return True
        raise Conflict(f"Somebody else keeps changing {self.name}; try again later.")

    def plug(
        self,
        device: N,
        find: Find[N],
        add: Callable[[Domain, N], None],
        *,
        unless: str = "",
    ) -> str:
        """Give it a device, in what runs too; why only at its next start, or "".

        `unless` is why what runs cannot take it, where that is known.
        """
        before, why = self.live, unless
        if before is not None and find(before) is None and not unless:
            why = self.try_live(changes.attach_device, str(device))
        if self.config is None and why:
            raise Conflict(f"{self.name} is transient and cannot take it now: {why}")
        seat = find(after) if (after := self.live) is not None else None
        try:
            self.edit(
                lambda doc: add(doc, seated(device, seat, doc) if seat else device)
            )
        except (HostTimeout, HostUnreachable):
            raise  # nobody knows; it is looked at again
        except AppError:
            if seat is not None and before is not None and find(before) is None:
                self.run.log(
                    "Its definition cannot take it, so it is pulled out again."
                )
                self._pull(seat)
            raise
        return why

    def unplug(self, find: Find[N], drop: Callable[[Domain, N], None]) -> str:
        """Take a device from it, from what runs too; why only at its next start.

        Raises Refused when the guest does not let go of it; then nothing has changed.
        """
        why = ""
        live = self.live
        device = find(live) if live is not None else None
        if device is not None:
            why = self._pull(device)

        def edit(doc: Domain) -> None:
            found = find(doc)
            if found is not None:
                drop(doc, found)

        self.edit(edit)
        if self.config is None and why:
            raise Conflict(f"{self.name} is transient and cannot give it back: {why}")
        return why

    def adjust(
        self, find: Find[N], change: Callable[[N], None], *, force: bool = False
    ) -> str:
        """Change a device, in what runs too; why only at its next start, or "".

        Raises NotFound when it has no such device.
        """
        live, why = self.live, ""
        running = find(live) if live is not None else None
        defined = find(config) if (config := self.config) is not None else None
        if running is None and defined is None:
            raise NotFound(f"{self.name} has no such device any more.")
        if running is not None:
            device = copied(running)
            change(device)
            if str(device) != str(copied(running)):
                why = self.try_live(changes.update_device, str(device), force=force)
        if config is None and why:
            raise Conflict(f"{self.name} is transient and cannot be changed now: {why}")

        def edit(doc: Domain) -> None:
            found = find(doc)
            if found is not None:
                change(found)

        self.edit(edit)
        return why

    def try_live(self, verb: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
        """Change what runs; why that has to wait for its next start, or "".

        Raises whatever else goes wrong.
        """
        if not self.now:
            return _AS_ASKED
        flags = {"live": True, "config": False}
        try:
            self.call(verb, self.far.uuid, *args, **flags, **kwargs)
        except Unsupported as error:
            return self._later(error)
        except HostError as error:
            if isinstance(error, HostUnreachable) or _NO_ROOM not in (
                error.detail.lower()
            ):
                raise
            return self._later(error)
        return ""

    def _pull(self, device: Any) -> str:
        return self.try_live(changes.detach_device, str(device))

    def _later(self, error: AppError) -> str:
        self.run.log(f"Not while it runs: {error.detail}")
        return error.detail


def changed(run: Run, make: Callable[[Machine], T]) -> T:
    """What `make` answers, once all that it makes so is so on the host.

    After a call that was not answered in time the host is asked what came true.
    Raises HostTimeout when nobody can say, or it did not.
    """
    try:
        with far_guest(run) as far:
            return make(Machine(run, far))
    except HostTimeout as error:
        run.progress(0.5, "the host did not answer; asking what came true")
        run.log(error.detail)
        found = _afterwards(run, make)
        if found is None:
            raise
        run.log("It came true nevertheless.")
        return found[0]


def _afterwards(run: Run, make: Callable[[Machine], T]) -> tuple[T] | None:
    """What `make` answers when all is so by now; None when it is not, or nobody says."""
    until = time.monotonic() + ASK_S
    while time.monotonic() < until:
        try:
            with far_guest(run) as far:
                return (make(Machine(run, far, only_look=True)),)
        except (HostUnreachable, NotSo):
            time.sleep(1)
        except AppError:
            return None
    return None
