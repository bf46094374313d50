"""Content for volumes and from them; see hosts.storage.streaming for the other end.

What is brought is judged before it is written, and again before anybody may choose it.
A volume that has content keeps it until the new one is whole: that is built next to it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from hosts.models import Host, Pool, Volume
from hosts.services import address_of
from hosts.storage import copying, guarding, holdings, passing
from hosts.storage.appearing import until_row
from hosts.storage.making import pool_of, unmake
from hosts.storage.places import path_of
from hosts.storage.sharing import Sharing
from hosts.storage.work import manage
from kvmweb.errors import AppError, Conflict, NotFound
from kvmweb.operations.registry import Recovery, work
from kvmweb.operations.run import Run
from kvmweb.virt import (
    connection,
    images,
    second_opinion,
    storage,
    streams,
    transfer,
    volumes,
)
from kvmweb.virt.types import VolumeFacts

_EMPTY_QCOW2 = 208 << 10  # what one takes that nothing was written to


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the content is written, and what may come."""

    host: Host
    pool: Pool
    path: str
    format: str
    capacity_bytes: int
    begun_at: str  # where it is written; another path when `path` has content to keep

    @property
    def staged(self) -> bool:
        return self.begun_at != self.path

    @property
    def most_bytes(self) -> int | None:
        return self.capacity_bytes if self.format == "raw" else None


def unfilled(run: Run) -> Recovery:
    """After a crash: what was half written is deleted; who sent it has gone."""
    pool = pool_of(run)
    begun_at = run.result.get("begun_at", "")
    if run.result.get("whole"):
        return Recovery.AGAIN
    if begun_at:
        unmake(run, pool.host, begun_at)
    raise Conflict(
        f"The upload to {run.params['name']} was interrupted; {_left(run, begun_at)}",
        hint="Send it again.",
    )


@work("volume.upload", allowed=manage, recover=unfilled, cancellable=True)
def upload(run: Run) -> dict[str, Any]:
    """Fill a volume with what the web process sends."""
    return fill(run)


class Bringer(Protocol):
    """A thread that brings content to the child, and what kept it from that."""

    error: AppError | None

    def start(self) -> None: ...


def fill(run: Run, bring: Callable[[], Bringer] | None = None) -> dict[str, Any]:
    """Fill a volume with what comes to this operation's socket, whoever brings it.

    `bring` makes the one who brings it, once the socket is there; None: the web process.
    """
    pool, path = pool_of(run), run.params["path"]
    if not run.result.get("whole"):
        place = _place(run, pool, path)
        with _taking(run, place):
            count = _received(run, place, bring)
            image = _judged(place, count)
            run.keep(whole=True, bytes=count)
        run.log(f"{count} bytes came, and they are a {image.format} image.")
    else:
        place = _known_place(run, pool, path)
    if place.staged:
        _swap(run, place)
    holdings.ready(place.host, path, format=place.format)
    row = until_row(
        lambda: Volume.objects.filter(pool=pool, path=path).first(),
        within_s=45,
        say=f"{path} was filled, but its host has not been seen to say so yet.",
    )
    run.say(f"{run.params['name']} holds what was sent: {run.result['bytes']} bytes.")
    return {"volume": row.pk, "path": path, "bytes": run.result["bytes"]}


@work("volume.download", allowed=manage, cancellable=True)
def download(run: Run) -> dict[str, Any]:
    """Send a volume's content to the web process."""
    pool, path = pool_of(run), run.params["path"]
    socket = passing.socket_of(run.operation)
    socket.parent.mkdir(mode=0o700, exist_ok=True)
    there = transfer.Download(path, str(socket))
    child = connection.spawn(transfer.give, address_of(pool.host), there)
    with passing.listening(run, child, socket):
        count = passing.carried(run, child)
    run.say(f"{run.params['name']} was read: {count} bytes.")
    return {"bytes": count}


def _place(run: Run, pool: Pool, path: str) -> _Place:
    """Where to write, empty and marked; nobody uses what will be written over."""
    host, said = pool.host, run.params
    doing = f"write over {said['name']}"
    guarding.need_free_there(Sharing(host, [path]), [path], doing)
    with connection.connect(address_of(host)) as there:
        facts = there.run(storage.look_volume, path)
        if facts is None:
            raise NotFound(f"{path} is not there any more.")
        name = said["name"]
        fresh = _is_fresh(facts, said["format"])
        if not fresh:
            name = f"{name[:180]}.upload-{run.operation.pk.hex[:8]}"
        begun_at = path if fresh else path_of(pool, name)
        run.keep(begun_at=begun_at, begun=True)
        holdings.building(host, begun_at, run.operation)
        if not fresh or said["format"] != "raw":
            capacity = facts.capacity_bytes if said["format"] == "raw" else 1
            there.run(volumes.empty, pool.uuid, name, capacity_bytes=capacity)
    return _known_place(run, pool, path)


def _known_place(run: Run, pool: Pool, path: str) -> _Place:
    said = run.params
    return _Place(
        pool.host,
        pool,
        path,
        said["format"],
        said["capacity_bytes"],
        run.result["begun_at"],
    )


def _is_fresh(facts: VolumeFacts, made_as: str) -> bool:
    """Whether nothing was ever written to it."""
    if made_as == "raw":
        return facts.allocation_bytes == 0
    return facts.allocation_bytes <= _EMPTY_QCOW2 and not facts.backing_path


@contextmanager
def _taking(run: Run, place: _Place) -> Iterator[None]:
    """What is written in the block is whole afterwards, or gone."""
    try:
        yield
    except AppError as error:
        unmake(run, place.host, place.begun_at)
        error.detail = f"{error.detail} {_left(run, place.begun_at).capitalize()}"
        raise
    except BaseException:
        unmake(run, place.host, place.begun_at)
        raise


def _left(run: Run, begun_at: str) -> str:
    if begun_at == run.params["path"]:
        return "the volume was deleted."
    return "the volume has the content that it had."


def _received(run: Run, place: _Place, bring: Callable[[], Bringer] | None) -> int:
    socket = passing.socket_of(run.operation)
    socket.parent.mkdir(mode=0o700, exist_ok=True)
    wanted = transfer.Upload(
        place.begun_at, str(socket), place.format, place.most_bytes
    )
    told = run.params.get("length_bytes") or place.capacity_bytes
    child = connection.spawn(transfer.receive, address_of(place.host), wanted)
    with passing.listening(run, child, socket):
        run.progress(0.01, "receiving")
        bringer = bring() if bring else None
        if bringer:
            bringer.start()
        try:
            return passing.carried(
                run, child, lambda count: run.progress(0.9 * count / told)
            )
        except AppError as error:
            if bringer and bringer.error:  # it broke there first
                raise bringer.error from error
            raise


def _judged(place: _Place, count: int) -> images.Image:
    """What lies there now, judged as it lies there. Raises Invalid."""
    with connection.connect(address_of(place.host)) as there:
        head = there.run(streams.read_head, place.begun_at, images.HEAD_BYTES)
    image = images.inspect(head, place.format, count)
    second_opinion.need_same(head, image, count)
    return image


def _swap(run: Run, place: _Place) -> None:
    """The new content takes the place of the old one; may be done twice."""
    run.progress(0.9, "replacing what was there")
    holdings.building(place.host, place.path, run.operation)
    with connection.connect(address_of(place.host)) as there:
        capacity = place.capacity_bytes if place.format == "raw" else 1
        name = run.params["name"]
        there.run(volumes.empty, place.pool.uuid, name, capacity_bytes=capacity)
    copying.copy(run, place.host, place.begun_at, place.host, place.path)
    unmake(run, place.host, place.begun_at)
