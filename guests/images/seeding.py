"""A guest's seed: kept as sealed words, then written as a CD into a pool of its host.

    with transaction.atomic():                       # whoever asks for the guest
        operation = submit("guest.create", …)
        seeding.keep(uuid, "web", cloud)

    path = seeding.write(run, uuid, pool)            # its worker, as often as it likes
    Disk(path, format="raw", device="cdrom", bus=seeding.bus_beside(["virtio"]))
    seeding.discard(run, uuid)                       # should the guest not come to be

It is taken away after the first boot: see guests.images.unseeding.
"""

import json
from collections.abc import Collection
from uuid import UUID

from django.utils import timezone

from guests.images.models import Seed
from guests.images.seed import CloudInit, seed
from hosts.models import Pool
from hosts.services import address_of
from hosts.storage import holdings
from hosts.storage.places import path_of
from hosts.vault import open_text, seal_text
from kvmweb.errors import NotFound
from kvmweb.operations.run import Run
from kvmweb.virt import connection, storage, streams, volumes


def keep(guest: UUID, name: str, cloud: CloudInit) -> None:
    """Remember what a guest that is about to be made shall be told.

    Call it in the transaction that submits: an operation's params never hold secrets.
    Raises Invalid as `CloudInit.check`.
    """
    cloud.check()
    sealed = seal_text(json.dumps(cloud.to_json()))
    Seed.objects.create(guest=guest, guest_name=name, sealed=sealed)


def is_kept(guest: UUID) -> bool:
    """Whether this guest has a seed, as words or as a CD."""
    return Seed.objects.filter(guest=guest).exists()


def bus_beside(buses: Collection[str]) -> str:
    """The bus for a seed's CD beside disks on these: one that the guest can read.

    Kernels made for clouds know SCSI by virtio, but no SATA; who has its disks on SATA
    may know nothing else.
    """
    return "sata" if set(buses) & {"sata", "ide"} else "scsi"


def write(run: Run, guest: UUID, pool: Pool) -> str:
    """The path of the guest's seed in this pool, written now if it is not there.

    May be called again by the same operation. Raises NotFound when nothing was kept for
    this guest, Conflict when another volume has its name, HostError.
    """
    row = Seed.objects.filter(guest=guest).first()
    if row is None:
        raise NotFound(f"{run.operation.guest_name} has no cloud-init settings.")
    with connection.connect(address_of(pool.host)) as there:
        if row.written_at and there.run(storage.look_volume, row.path) is not None:
            return row.path
        cloud = CloudInit.from_json(json.loads(open_text(row.sealed)))
        data = seed(cloud, guest=guest)
        path = _volume(run, row, pool, there, len(data))
        there.run(streams.write, path, data)
    holdings.ready(pool.host, path, format="raw")
    row.sealed, row.written_at = "", timezone.now()
    row.save(update_fields=["sealed", "written_at"])
    return path


def discard(run: Run, guest: UUID) -> None:
    """Take away what was kept and written for a guest that does not come to be.

    Raises HostError when its volume cannot be deleted now; then it is tried again later.
    """
    row = Seed.objects.select_related("host").filter(guest=guest).first()
    if row is None:
        return
    if row.host and row.path:
        with connection.connect(address_of(row.host)) as there:
            there.run(volumes.discard, row.path)
        holdings.forget(row.host, row.path)
        run.log(f"Deleted {row.path}.")
    row.delete()


def _volume(
    run: Run, row: Seed, pool: Pool, there: connection.Host, length: int
) -> str:
    """The path of an empty volume for it; its own half written one is made anew."""
    if row.path and row.host_id == pool.host_id:
        there.run(volumes.discard, row.path)
        holdings.forget(pool.host, row.path)
    name = _free_name(row, pool, there)
    planned = path_of(pool, name)
    # Written down before it is there: what a crash leaves behind is found again.
    run.keep(begun=True)
    holdings.building(pool.host, planned, run.operation)
    row.host, row.path, row.written_at = pool.host, planned, None
    row.save(update_fields=["host", "path", "written_at"])
    made = there.run(
        volumes.create, pool.uuid, name, format="raw", capacity_bytes=length
    )
    if made.path != planned:
        holdings.forget(pool.host, planned)
        row.path = made.path
        row.save(update_fields=["path"])
    return made.path


def _free_name(row: Seed, pool: Pool, there: connection.Host) -> str:
    """web-seed.iso; where somebody else has a volume of that name, with its UUID."""
    name = f"{row.guest_name}-seed.iso"
    if there.run(storage.look_volume, path_of(pool, name)) is None:
        return name
    return f"{row.guest_name}-{row.guest.hex[:8]}-seed.iso"
