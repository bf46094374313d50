"""The slow part of what is asked of guests: a call to the host, until it is true there.

Each looks before and after: what is so already is done, what a host left unanswered is
asked again, and what nobody knows is said. Nothing here writes a fact; the watcher does.
"""

from collections.abc import Callable
from typing import Any

from guests import deletion, demo
from guests.access import guest as permitted
from guests.access import need_demo
from guests.far import OFF, Far, far_guest
from guests.models import Guest
from guests.saving import outcome, saved
from kvmweb.accounts.gate import Right
from kvmweb.errors import Cancelled, Conflict, NotFound
from kvmweb.operations.models import Operation
from kvmweb.operations.registry import Recovery, work
from kvmweb.operations.run import Run
from kvmweb.virt import domains, metadata
from kvmweb.virt.domains import Means
from kvmweb.virt.types import DomainState

SHUTDOWN_S = 120.0
_PRESS_AGAIN_S = 10.0  # a guest that still boots does not hear it, and forgets it
_BY = {Means.AGENT: "by its agent", Means.ACPI: "by its power button (ACPI)"}

RUNNING = frozenset({DomainState.RUNNING})
BEGUN = RUNNING | {DomainState.PAUSED}


def allowed(right: Right) -> Callable[[Operation], None]:
    """Whether who asked may still do this to the guest. Raises Forbidden, NotFound."""

    def ask(operation: Operation) -> None:
        if operation.requested_by and operation.guest:
            permitted(operation.requested_by, operation.guest, right)

    return ask


def recovering(wanted: frozenset[DomainState | None]) -> Callable[[Run], Recovery]:
    """After a crash: done if the guest is in one of these states, else once more."""

    def recover(run: Run) -> Recovery:
        with far_guest(run) as far:
            state = far.state()
        if state in wanted:
            run.say(f"{run.operation.guest_name} is {_word(state)}.")
            return Recovery.DONE
        return Recovery.AGAIN

    return recover


def unknown(run: Run) -> Recovery:
    """After a crash: it cannot be seen whether it came true, and is not done twice."""
    with far_guest(run) as far:
        state = far.state()
    name = run.operation.guest_name
    raise Conflict(
        f"This was interrupted; {name} is {_word(state)} now, and whether it was asked "
        "is not known."
    )


operate = allowed(Right.OPERATE)


@work("guest.start", allowed=operate, recover=recovering(frozenset(BEGUN)))
def start(run: Run) -> None:
    """Power on."""
    if Guest.objects.filter(pk__in=[run.operation.guest], template=True).exists():
        name = run.operation.guest_name
        raise Conflict(f"{name} was made a template meanwhile: clone it.")
    with far_guest(run) as far:
        far.make(domains.start, BEGUN)
    run.say(f"{run.operation.guest_name} is running.")


@work("guest.force-off", allowed=operate, recover=recovering(OFF))
def force_off(run: Run) -> None:
    """Pull the plug."""
    with far_guest(run) as far:
        far.make(domains.force_off, OFF)
    run.say(f"{run.operation.guest_name} was forced off.")


@work(
    "guest.pause",
    allowed=operate,
    recover=recovering(frozenset({DomainState.PAUSED})),
)
def pause(run: Run) -> None:
    """Stop its CPUs."""
    with far_guest(run) as far:
        far.make(domains.pause, {DomainState.PAUSED})
    run.say(f"{run.operation.guest_name} is paused.")


@work("guest.resume", allowed=operate, recover=recovering(frozenset(RUNNING)))
def resume(run: Run) -> None:
    """Let its CPUs go on."""
    with far_guest(run) as far:
        far.make(domains.resume, RUNNING)
    run.say(f"{run.operation.guest_name} is running again.")


@work("guest.reset", allowed=operate, recover=unknown)
def reset(run: Run) -> None:
    """Press the reset button."""
    with far_guest(run) as far:
        far.run(domains.reset)
    run.say(f"{run.operation.guest_name} was reset.")


@work("guest.reboot", allowed=operate, recover=unknown)
def reboot(run: Run) -> dict[str, object]:
    """Ask it to restart."""
    with far_guest(run) as far:
        means = far.run(domains.reboot)
    run.say(f"{run.operation.guest_name} was asked to reboot, {_BY[means]}.")
    return {"means": str(means)}


@work("guest.shutdown", allowed=operate, recover=recovering(OFF), cancellable=True)
def shutdown(run: Run) -> dict[str, object]:
    """Ask it to power off and wait until it has."""
    name = run.operation.guest_name
    with far_guest(run) as far:
        if far.state() in OFF:
            run.say(f"{name} is off.")
            return {}
        means = far.run(domains.shutdown)
        run.log(f"{name} was asked to shut down, {_BY[means]}.")
        run.progress(0.1, "waiting for the guest")
        try:
            if not _gone_off(run, far, means):
                raise Conflict(
                    f"{name} did not shut down within {SHUTDOWN_S:g} s; it was asked "
                    f"{_BY[means]}.",
                    hint="It may not listen. Force it off, or try again.",
                )
        except Cancelled:
            detail = f"{name} is not waited for any more; it may still shut down."
            raise Cancelled(detail) from None
    run.say(f"{name} has shut down; it was asked {_BY[means]}.")
    return {"means": str(means)}


@work("guest.save", allowed=operate, recover=outcome, cancellable=True)
def save(run: Run) -> None:
    """Write its memory to the host's disk and stop it."""
    saved(run)
    run.say(f"{run.operation.guest_name} is saved; its next start goes on from here.")


def _may_demo(operation: Operation) -> None:
    """Nothing, if who asked may still make demo guests. Raises Forbidden."""
    if operation.requested_by:
        need_demo(operation.requested_by)


def _again(_run: Run) -> Recovery:
    """Every step of it may be done twice."""
    return Recovery.AGAIN


@work("guest.autostart", allowed=operate, recover=_again)
def autostart(run: Run) -> None:
    """Whether it starts with its host."""
    enabled = bool(run.params["enabled"])
    with far_guest(run) as far:
        far.run(domains.set_autostart, enabled=enabled)
    verb = "starts" if enabled else "does not start"
    run.say(f"{run.operation.guest_name} {verb} with its host from now on.")


@work("guest.edit", allowed=allowed(Right.EDIT), recover=_again)
def edit(run: Run) -> None:
    """Write title and description into its document, and its autostart."""
    write_words(run, run.params)
    told = ", ".join(sorted(run.params))
    run.say(f"{run.operation.guest_name} was changed: {told}.")


def write_words(run: Run, told: dict[str, Any]) -> None:
    """Make its host say these words of it, and whether it starts with it."""
    with far_guest(run) as far:
        if "title" in told or "description" in told:
            far.run(
                metadata.describe,
                title=told.get("title"),
                description=told.get("description"),
            )
        if "autostart" in told:
            far.run(domains.set_autostart, enabled=bool(told["autostart"]))


@work("guest.label", recover=_again)
def label(run: Run) -> None:
    """Write a copy of owner and tags into its metadata, for a rebuilt database."""
    rows = Guest.objects.select_related("owner", "project")
    row = rows.filter(pk=run.params["guest"]).first()
    name = run.operation.guest_name
    if row is None:
        run.say(f"{name} is not known any more.")
        return
    owner = row.owner.username if row.owner else ""
    try:
        with far_guest(run, row.pk) as far:
            project = row.project.name if row.project else ""
            label = {"owner": owner, "project": project, "tags": tuple(row.tags)}
            far.run(metadata.label, **label)
    except NotFound:
        run.say(f"{name} is not there any more.")
        return
    run.say(f"Owner and tags of {name} were written into its document, too.")


@work("guest.delete", allowed=allowed(Right.DELETE), recover=_again)
def delete(run: Run) -> dict[str, object]:
    """Undefine it, then delete the volumes that were named when it was asked for."""
    return deletion.delete(run)


@work("guest.start-demo", allowed=_may_demo, recover=_again)
def start_demo(run: Run) -> None:
    """Make a demo guest and start it."""
    demo.make(run)


def _gone_off(run: Run, far: Far, means: Means) -> bool:
    """Whether it was off in time; the button is pressed again on the way."""
    pressed_at_s = 0.0

    def waiting(waited_s: float) -> None:
        nonlocal pressed_at_s
        run.check_cancelled()
        run.progress(0.1 + 0.8 * waited_s / SHUTDOWN_S)
        if means == Means.ACPI and waited_s - pressed_at_s > _PRESS_AGAIN_S:
            pressed_at_s = waited_s
            far.again(domains.shutdown)

    return far.reaches(OFF, SHUTDOWN_S, waiting)


def _word(state: DomainState | None) -> str:
    return "gone" if state is None else "off" if state in OFF else state.value
