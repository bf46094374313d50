"""Disks and CDs plugged in, changed and pulled out, in a worker."""

from typing import Any

from guests.creation import devices
from guests.creation.parts import Disk as Part
from guests.creation.wanted import Limits
from guests.hardware import documents
from guests.hardware.device_wishes import DiskChange
from guests.hardware.documents import HOT
from guests.hardware.machine import Machine, changed
from guests.hardware.parts import Seat, copied, find_disk, need_disk, source_of
from guests.hardware.work import again, may_change, may_resize, outcome
from guests.models import Guest
from hosts.models import Host
from hosts.services import address_of
from hosts.storage import making
from hosts.storage import work as storage_work
from hosts.storage.appearing import until_row
from hosts.storage.places import path_of
from hosts.storage.sharing import Sharing
from kvmweb.errors import AppError, Conflict, HostTimeout, HostUnreachable
from kvmweb.operations.registry import Recovery, work
from kvmweb.operations.run import Run
from kvmweb.virt import changes, connection, storage, volumes
from kvmweb.virt.xml.devices import Disk, Iotune
from kvmweb.virt.xml.domain import Domain

_AT_NEXT_START = " at its next start"


def unmade(run: Run) -> Recovery:
    """After a crash: a volume that was half made is made anew; the rest looks first."""
    if run.params.get("pool_uuid") and not run.result.get("path"):
        pool = making.pool_of(run)
        if not making.unmake(run, pool.host, path_of(pool, run.params["name"])):
            raise Conflict(
                f"This was interrupted; the volume {run.params['name']} is half made "
                "and will be deleted.",
                hint="Ask for the disk again.",
            )
        run.keep(begun=False)
    return Recovery.AGAIN


@work("guest.disk-add", allowed=may_change, recover=unmade)
def add(run: Run) -> dict[str, Any]:
    """Plug in a disk: a new volume, or one that nobody else uses."""
    said, made = run.params, _made(run)
    path = made.get("path") or said["path"]
    if not made and not said["shareable"] and not said["readonly"]:
        _need_unused(run, path)
    disk = _disk(said, path)
    try:
        why = changed(run, lambda machine: _plug(machine, disk))
    except (HostTimeout, HostUnreachable):
        raise
    except AppError:
        if made:
            pool = making.pool_of(run)
            run.log(f"It was not plugged in, so {path} is deleted again.")
            making.unmake(run, pool.host, path)
        raise
    about = {**made, "path": path, "target": disk.target}
    return outcome(run, f"the disk {disk.target}", "added", why, **about)


@work("guest.disk-grow", allowed=may_resize, recover=again)
@work("guest.disk-change", allowed=may_change, recover=again)
def change(run: Run) -> dict[str, Any]:
    """Grow a disk, which a running guest sees at once, or have it handled otherwise."""
    wish, target = DiskChange.of(run.params["change"]), run.params["target"]
    why = ""
    if wish.size_bytes is not None:
        size = wish.size_bytes
        if not changed(run, lambda machine: _grow_live(machine, target, size)):
            _grow_volume(run, size)
        _tell_pool(run)
    if run.params["change"].keys() - {"size_bytes"}:
        why = changed(run, lambda machine: _handle(machine, target, wish))
    done = "grown" if run.operation.kind == "guest.disk-grow" else "changed"
    return outcome(run, f"the disk {target}", done, why, target=target)


@work("guest.disk-remove", allowed=may_change, recover=again)
def remove(run: Run) -> dict[str, Any]:
    """Pull out a disk; its volume stays, or goes into the trash when nobody uses it."""
    target = run.params["target"]

    def pull(machine: Machine) -> str:
        def find(doc: Domain) -> Disk | None:
            return find_disk(doc, target)

        return machine.unplug(find, lambda doc, disk: doc.disks.remove(disk))

    why = changed(run, pull)
    result = outcome(run, f"the disk {target}", "taken out", why, target=target)
    if run.params.get("delete"):
        taken_out = run.sentence
        run.say(f"{taken_out} {_trash(run, why)}")
    return result


@work("guest.change-media", allowed=may_change, recover=again)
def change_media(run: Run) -> dict[str, Any]:
    """Put a CD into the drive, or take it out."""
    said = run.params
    why = changed(run, _insert)
    done = f"{said['medium']} is in" if said["path"] else "Nothing is in"
    later = f"{said['medium']} will be in" if said["path"] else "Nothing will be in"
    where = f"{said['target']} of {run.operation.guest_name}"
    if why:
        run.log(why)
    run.say(f"{later} {where}{_AT_NEXT_START}." if why else f"{done} {where}.")
    return {"target": said["target"], "at_next_start": bool(why)}


def _insert(machine: Machine) -> str:
    said = machine.run.params
    target, path, block = said["target"], said["path"], said.get("block", False)

    def find(doc: Domain) -> Disk | None:
        return find_disk(doc, target)

    if all(find(doc) is None for doc in machine.domains):
        part = Part(path, "raw", "cdrom", said.get("new_bus", "sata"), block=block)
        drive = devices.disk(part, target, order=None, iothread=None)
        return _plug(machine, drive)
    return machine.adjust(
        find,
        lambda disk: _load(disk, path, block=block),
        force=said.get("force", False),
    )


def _load(disk: Disk, path: str, *, block: bool) -> None:
    """Make the drive hold this and nothing else."""
    if source_of(disk) == path:
        return
    disk.type = "block" if block else "file"
    if path:
        disk.driver, disk.format = "qemu", "raw"
    disk.file = path if path and not block else None
    disk.dev = path if path and block else None
    for name in ("pool", "volume", "startup_policy"):
        setattr(disk, name, None)


def _made(run: Run) -> dict[str, Any]:
    """The new volume, made once; {} when the disk is one that is there."""
    if run.result.get("path"):
        return {name: run.result[name] for name in ("volume", "path")}
    if not run.params.get("pool_uuid"):
        return {}
    pool, said = making.pool_of(run), run.params
    run.progress(0.1, "making the volume")
    with making.making(run, pool) as there:
        facts = there.run(
            volumes.create,
            pool.uuid,
            said["name"],
            format=said["format"],
            capacity_bytes=said["size_bytes"],
        )
    made = making.made(run, pool, facts.path, said["format"])
    run.keep(**made)
    return made


def _disk(said: dict[str, Any], path: str) -> Disk:
    part = Part(
        path,
        said["format"],
        bus=said["bus"],
        block=said["block"],
        cache=said["cache"],
        io=said["io"],
        discard=said["discard"],
        limits=Limits(**said["limits"]),
    )
    disk = devices.disk(part, said["target"], order=None, iothread=None)
    if said["readonly"]:
        disk.readonly = True
    if said["shareable"]:
        disk.shareable = True
    return disk


def _plug(machine: Machine, disk: Disk) -> str:
    """Give it the disk; why only at its next start, or ""."""

    def find(doc: Domain) -> Disk | None:
        found = find_disk(doc, disk.target)
        return found if found is not None and _same(found, disk) else None

    unless, live = "", machine.live
    if live is not None and find(live) is None:
        if find_disk(live, disk.target) is not None:
            raise Conflict(f"{machine.name} has another disk {disk.target} by now.")
        if disk.bus not in HOT:
            unless = f"The bus {disk.bus} takes no disks while a guest runs."
        elif disk.bus == "scsi" and not documents.scsi(live):
            controller = str(documents.scsi_controller())
            unless = machine.try_live(changes.attach_device, controller)
    return machine.plug(disk, find, documents.add_disk, unless=unless)


def _same(found: Disk, disk: Disk) -> bool:
    return source_of(found) == source_of(disk)


def _handle(machine: Machine, target: str, wish: DiskChange) -> str:
    """How the disk is handled, from its next start on."""
    doc = machine.config
    if doc is None:
        raise Conflict(f"{machine.name} is transient: it has no next start.")
    need_disk(doc, target)
    machine.edit(lambda doc: _set(need_disk(doc, target), wish))
    live = machine.live
    if live is None:
        return ""
    running = find_disk(live, target)
    return "" if running is not None and _is(running, wish) else "It runs as it was."


def _set(disk: Disk, wish: DiskChange) -> None:
    if wish.bus and wish.bus != disk.bus:
        disk.bus = wish.bus
        Seat(disk.element).address = None  # another kind of place
    for name in ("cache", "io"):
        value = getattr(wish, name)
        if value is not None and value != getattr(disk, name):
            setattr(disk, name, value or None)
    if wish.discard is not None and wish.discard != (disk.discard == "unmap"):
        disk.discard = "unmap" if wish.discard else None
    if wish.readonly is not None and wish.readonly != disk.readonly:
        disk.readonly = wish.readonly
    if wish.limits is not None:
        _set_limits(disk, wish.limits)


def _set_limits(disk: Disk, limits: Limits) -> None:
    for name in Limits.__slots__:
        value = getattr(limits, name) or None
        if value and disk.iotune is None:
            disk.iotune = Iotune.make()
        if disk.iotune is not None:
            setattr(disk.iotune, name, value)
    if disk.iotune is not None and not len(disk.iotune.element):
        disk.iotune = None


def _is(disk: Disk, wish: DiskChange) -> bool:
    """Whether the disk is as wished already."""
    copy = copied(disk)
    _set(copy, wish)
    return str(copy) == str(copied(disk))


def _grow_live(machine: Machine, target: str, size: int) -> bool:
    """Whether the guest runs with it, and so was grown with it."""
    live = machine.live
    if live is None or find_disk(live, target) is None:
        return False
    machine.call(changes.resize_disk, machine.far.uuid, target, size)
    return True


def _grow_volume(run: Run, size: int) -> None:
    """Grow the volume of a guest that is off, if nobody else runs with it."""
    path, host = run.params["path"], _home(run)
    for other in Sharing(host, [path]).hosts():
        with connection.connect(address_of(other)) as there:
            for user in there.run(storage.users_of, (path,))[path]:
                if user.active:
                    raise Conflict(f"{path} cannot grow: {user.name} runs with it.")
    with connection.connect(address_of(host)) as there:
        there.run(volumes.grow, path, size)


def _tell_pool(run: Run) -> None:
    """Have the host look at its pool, so that the new size is seen."""
    try:
        pool = making.pool_of(run)
        with connection.connect(address_of(pool.host)) as there:
            there.run(storage.refresh_pool, pool.uuid)
    except AppError as error:
        run.log(f"The pool shows the new size later. {error}")


def _need_unused(run: Run, path: str) -> None:
    """Nothing. Raises Conflict when a host says that another guest uses the volume."""
    sharing = Sharing(_home(run), [path])
    sharing.need_answers()
    for host in sharing.hosts():
        with connection.connect(address_of(host)) as there:
            users = there.run(storage.users_of, (path,))[path]
        others = [user.name for user in users if user.uuid != run.operation.guest]
        if others:
            raise Conflict(f"{path} is used by {', '.join(others)} on {host.name}.")


def _trash(run: Run, why: str) -> str:
    """What became of the volume of a disk that was taken out, as a sentence."""
    path = run.params["path"]
    if why:
        return f"{path} is kept, for the guest runs with it until then."
    try:
        _until_unused(run, path)
        storage_work.trash(run)
    except HostUnreachable:
        raise
    except AppError as error:
        return f"{path} is kept. {error}"
    return run.sentence


def _until_unused(run: Run, path: str) -> None:
    """Wait until the watcher has heard that the guest has it no more."""

    names = {path, f"{run.params['pool_name']}/{run.params['name']}"}

    def find() -> Guest | None:
        row = Guest.objects.filter(pk__in=[run.operation.guest]).first()
        return row if row is not None and names.isdisjoint(row.uses) else None

    until_row(find, within_s=45.0, say=f"{path} is still said to be in use.")


def _home(run: Run) -> Host:
    return Host.objects.get(pk=run.operation.host or 0)
