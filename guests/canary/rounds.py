"""A canary's round: every way between hosts, and nothing of it left anywhere."""

from collections.abc import Sequence
from typing import Any

from django.utils import timezone

from guests.canary import flying, nest, route
from guests.canary.flying import Bird, Flight
from guests.canary.models import Canary, CanaryResult
from hosts.models import Host
from kvmweb.errors import AppError, Cancelled, Conflict
from kvmweb.operations.run import Run


def fly(run: Run) -> dict[str, Any]:
    """Every way that this run has not flown yet; what broke is its result, no failure."""
    clear_all(run, [*Canary.objects.filter(operation=run.operation.pk)])
    hosts = _hosts(run.params["hosts"])
    done = {*_results(run).values_list("source", "target")}
    ways = [leg for leg in route.legs([*hosts]) if leg not in done]
    if not hosts or (not ways and not done):
        raise Conflict("A canary needs two hosts that answer.")
    bird = Bird(run)
    try:
        for number, (source, target) in enumerate(ways):
            run.check_cancelled()
            run.progress(
                (len(done) + number) / (len(done) + len(ways)),
                f"{hosts[source].name} to {hosts[target].name}",
            )
            _flown(run, bird, hosts[source], hosts[target])
    finally:
        clear_all(run, [bird.row])
    return _told(run)


def clear_all(run: Run, canaries: Sequence[Canary]) -> list[str]:
    """Take these canaries away from every host; what could not be, as sentences.

    The rows of what is left stay, and are looked after later (guests.canary.services).
    """
    left = []
    for canary in canaries:
        # First from all: what is on its way from one to another is on both.
        for clear in (_stop, _clear):
            for host in Host.objects.filter(pk__in=canary.hosts):
                try:
                    clear(canary, host)
                except AppError as error:
                    if clear is _clear:
                        left.append(f"{canary.name} on {host.name}: {error}")
                        run.log(f"{canary.name} is taken away later. {error}")
    return left


def _stop(canary: Canary, host: Host) -> None:
    flying.stop(canary.uuid, canary.name, host)


def _clear(canary: Canary, host: Host) -> None:
    _stop(canary, host)
    nest.clear(canary, host)
    canary.hosts = [pk for pk in canary.hosts if pk != host.pk]
    canary.save(update_fields=["hosts"])


def _flown(run: Run, bird: Bird, source: Host, target: Host) -> None:
    """One way, and its row. A failure counts only of one that was made at the source."""
    try:
        flight = _tried(run, bird, source, target)
    except Cancelled:
        raise
    except AppError as error:
        _write(run, source, target, None, str(error))
        run.log(f"{source.name} to {target.name}: {error}")
    else:
        _write(run, source, target, flight, "")


def _tried(run: Run, bird: Bird, source: Host, target: Host) -> Flight:
    if bird.home is None or bird.home.pk != source.pk:
        bird.hatch(source)
    elif bird.born is not None and bird.born.pk != source.pk:
        try:
            return bird.fly(target)
        except AppError as error:
            run.log(f"{source.name} to {target.name}, again with a new one: {error}")
            bird.hatch(source)
    try:
        return bird.fly(target)
    except AppError:
        bird.home = None  # the next one is made anew
        raise


def _write(
    run: Run, source: Host, target: Host, flight: Flight | None, sentence: str
) -> None:
    CanaryResult.objects.create(
        source=source,
        target=target,
        operation=run.operation.pk,
        ok=flight is not None,
        seconds=round(flight.seconds, 3) if flight else None,
        downtime_ms=flight.downtime_ms if flight else None,
        rate_bytes_s=flight.rate_bytes_s if flight else None,
        sentence=sentence,
        at=timezone.now(),
    )


def _results(run: Run) -> Any:
    return CanaryResult.objects.filter(operation=run.operation.pk)


def _hosts(wanted: Sequence[int]) -> dict[int, Host]:
    """Those that answer, in their order."""
    rows = Host.objects.filter(pk__in=wanted, state=Host.State.UP).order_by("name")
    return {host.pk: host for host in rows}


def _told(run: Run) -> dict[str, Any]:
    rows = list(_results(run).select_related("source", "target"))
    broken = [row for row in rows if not row.ok]
    names = ", ".join(
        f"{row.source.name} to {row.target.name}" for row in reversed(broken)
    )
    if broken:
        run.say(f"{len(broken)} of {len(rows)} ways are broken: {names}.")
    else:
        run.say(f"All {len(rows)} ways between hosts are good.")
    return {"flown": len(rows), "broken": len(broken)}
