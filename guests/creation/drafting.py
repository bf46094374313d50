"""One wish on one host: the plan of each of its guests there, down to paths."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from uuid import uuid4

from guests.creation import osinfo, placement
from guests.creation.baseline import Processor, best_of_all
from guests.creation.blueprint import Blueprint
from guests.creation.devices import targets
from guests.creation.meaning import Meaning
from guests.creation.parts import Disk, Given, Nic, Screen
from guests.creation.placement import BLOCKS, Choice, Need
from guests.creation.plan import NewVolume, Plan
from guests.creation.rooms import Promise
from guests.creation.wanted import (
    Cpu,
    Wanted,
    WantedDisk,
    WantedNic,
    whole_disk,
    whole_memory,
)
from guests.images.models import Image
from hosts.models import Host, HostDevice, NetworkFilter, Pool, Volume
from hosts.storage import holdings, users
from hosts.storage.places import path_of
from hosts.storage.sharing import Sharing
from kvmweb.accounts.models import Role, User
from kvmweb.errors import Invalid
from kvmweb.virt.types import Transport

ANTI_SPOOFING = "clean-traffic"
PCI_PLACE = ("domain", "bus", "slot", "function")
_OWN_MACHINE = (Transport.LOCAL, Transport.UNIX, Transport.TEST)
_SUFFIX = {"qcow2": "qcow2", "raw": "img"}


@dataclass(frozen=True, slots=True)
class Planned:
    """One guest: where it goes and why, and what will be made."""

    plan: Plan
    choice: Choice
    promise: Promise
    warnings: tuple[str, ...] = ()


class Draft:
    """One wish on one host."""

    def __init__(
        self,
        wanted: Wanted,
        meaning: Meaning,
        likes: osinfo.Defaults,
        host: Host,
        owner: User | None,
    ) -> None:
        self._wanted, self._meaning, self._likes = wanted, meaning, likes
        self._host, self._owner = host, owner
        self._pools = {pool.pk: pool for pool in host.pools.all()}
        self._filters = set(
            NetworkFilter.objects.filter(host=host).values_list("name", flat=True)
        )
        self._formats = {
            volume.pk: holdings.format_of(volume)
            for volume in (*meaning.volumes, *meaning.cdroms)
            if volume
        }
        self._need_free()

    def planned(
        self, name: str, choice: Choice, need: Need, *, seeded: bool
    ) -> Planned:
        """The plan of the guest of this name."""
        volumes, disks = self._disks(name, choice)
        nics = tuple(self._nics())
        blueprint = self._blueprint(name, disks, nics)
        changes = [it.path for it in self._meaning.volumes if it]
        plan = Plan(
            blueprint=blueprint,
            host=self._host.pk,
            host_name=self._host.name,
            volumes=tuple(volumes),
            changes=tuple(changes),
            reads=tuple(it.path for it in self._meaning.cdroms),
            seed_pool=self._seed_pool(volumes) if seeded else None,
            start=self._wanted.start,
            autostart=self._wanted.autostart,
        )
        promise = _promise(need, choice)
        warnings = (*choice.warnings, *self._warnings(blueprint))
        return Planned(plan, choice, promise, warnings)

    def _seed_pool(self, made: list[NewVolume]) -> int:
        """Beside its first disk."""
        there = [volume.pool_id for volume in self._meaning.volumes if volume]
        for pool in (*(it.pool for it in made), *there):
            return pool
        sentence = "Without a disk there is nobody to tell anything."
        raise Invalid(sentence, errors={"cloud_init": [sentence]})

    def _need_free(self) -> None:
        """Nothing. Raises Conflict when somebody uses what would be its disk."""
        paths = [it.path for it in self._meaning.volumes if it]
        if paths:
            sharing = Sharing(self._host, paths)
            users.need_none(users.of_paths(sharing, paths), "make it a disk")

    def _blueprint(
        self, name: str, disks: tuple[Disk, ...], nics: tuple[Nic, ...]
    ) -> Blueprint:
        wanted, likes, host = self._wanted, self._likes, self._host
        return Blueprint(
            uuid=uuid4(),
            name=name,
            virt_type=host.virt_type or "kvm",
            arch=host.arch or "x86_64",
            machine=wanted.machine,
            vcpus=wanted.vcpus,
            memory_bytes=whole_memory(wanted.memory_bytes),
            title=wanted.title,
            description=wanted.description,
            owner=wanted.owner,
            project=self._meaning.project.name if self._meaning.project else "",
            tags=wanted.tags,
            os=wanted.os,
            windows=likes.windows,
            firmware=wanted.firmware or likes.firmware,
            cpu=self._cpu(),
            vcpus_max=wanted.vcpus_max or 0,
            memory_max_bytes=wanted.memory_max_bytes or 0,
            balloon=wanted.balloon,
            hugepages=wanted.hugepages,
            iothreads=wanted.iothreads,
            disks=disks,
            nics=nics,
            tpm=likes.tpm if wanted.tpm is None else wanted.tpm,
            watchdog=wanted.watchdog,
            rng=wanted.rng,
            screen=_screen(host, wanted.screen),
            boot=wanted.boot,
            given=tuple(_given(device) for device in self._meaning.devices),
            shares=wanted.shares,
        )

    def _cpu(self) -> Cpu:
        cpu = self._wanted.cpu
        if cpu.mode == "baseline":
            return replace(cpu, model=best_of_all(_processors(self._host)))
        if cpu.mode == "host-passthrough" and self._host.virt_type != "kvm":
            sentence = f"{self._host.name} runs guests without KVM: it has no processor to pass on."
            raise Invalid(sentence, errors={"cpu.mode": [sentence]})
        return cpu

    def _disks(
        self, name: str, choice: Choice
    ) -> tuple[list[NewVolume], tuple[Disk, ...]]:
        """The volumes to be made, and all disks and CDs in their order."""
        made: list[NewVolume] = []
        disks: list[Disk] = []
        buses = [disk.bus or self._likes.bus for disk in self._wanted.disks]
        pools = iter(choice.pools)
        names = targets(buses)
        for number, disk in enumerate(self._wanted.disks):
            volume, bus = self._meaning.volumes[number], buses[number]
            if volume is not None:
                known = volume.path, self._formats[volume.pk]
                disks.append(_part(disk, bus, *known, block=_block(volume.pool)))
                continue
            stem = f"{name}-{names[number]}" if made else name
            new = self._new(stem, number, self._pools[next(pools)])
            made.append(new)
            block = _block(self._pools[new.pool])
            disks.append(_part(disk, bus, new.path, new.format, block=block))
        cds = [self._cd(volume) for volume in self._meaning.cdroms]
        return made, (*disks, *cds)

    def _cd(self, volume: Volume) -> Disk:
        return Disk(
            path=volume.path,
            format="raw",
            device="cdrom",
            bus="sata",
            block=_block(volume.pool),
        )

    def _new(self, stem: str, number: int, pool: Pool) -> NewVolume:
        disk, image = self._wanted.disks[number], self._meaning.images[number]
        blocks = pool.type in BLOCKS
        if disk.format == "qcow2" and blocks:
            sentence = f"The pool {pool.name} holds raw disks only."
            raise Invalid(sentence, errors={f"disks.{number}.format": [sentence]})
        kind = "raw" if blocks else disk.format or "qcow2"
        file = _free_name(pool, stem, "" if blocks else f".{_SUFFIX[kind]}")
        return NewVolume(
            pool=pool.pk,
            pool_uuid=pool.uuid,
            pool_name=pool.name,
            name=file,
            path=path_of(pool, file),
            format=kind,
            capacity_bytes=size_of(disk, image),
            image=image.pk if image else None,
            image_name=str(image) if image else "",
            copy=disk.copy or kind == "raw",
        )

    def _nics(self) -> Iterator[Nic]:
        for wanted, network in zip(
            self._wanted.nics, self._meaning.networks, strict=True
        ):
            yield Nic(
                network=network,
                bridge=wanted.bridge,
                model=wanted.model or self._likes.nic_model,
                mac=wanted.mac or _new_mac(),
                filter=self._filter(wanted),
                inbound_kib_s=wanted.inbound_kib_s,
                outbound_kib_s=wanted.outbound_kib_s,
            )

    def _filter(self, wanted: WantedNic) -> str:
        """Users' guests may not pretend to be others, where the host can see to that."""
        if wanted.filter is not None:
            return wanted.filter
        users_own = self._owner is not None and self._owner.role == Role.USER
        return ANTI_SPOOFING if users_own and ANTI_SPOOFING in self._filters else ""

    def _warnings(self, blueprint: Blueprint) -> Iterator[str]:
        likes = self._likes
        if 0 < blueprint.memory_bytes < likes.least_memory_bytes:
            name = osinfo.name_of(blueprint.os)
            yield f"{name} wants at least {likes.least_memory_bytes >> 20} MiB of memory."
        users_own = self._owner is not None and self._owner.role == Role.USER
        unguarded = [nic for nic in self._wanted.nics if nic.filter is None]
        if users_own and unguarded and ANTI_SPOOFING not in self._filters:
            yield (
                f"{self._host.name} has no filter {ANTI_SPOOFING}: nothing keeps the "
                "guest from using the addresses of others."
            )


def _promise(need: Need, choice: Choice) -> Promise:
    pools = {pool.id: pool for pool in choice.room.pools}
    taken = zip(choice.pools, need.disks, strict=True)
    return Promise(
        vcpus=need.vcpus,
        memory_bytes=need.memory_bytes,
        pools=tuple((it, placement.at_once(disk, pools[it])) for it, disk in taken),
    )


def size_of(disk: WantedDisk, image: Image | None) -> int:
    """What was said, or as much as the image needs."""
    least = max(image.virtual_size_bytes, image.min_disk_bytes) if image else 0
    return whole_disk(disk.size_bytes or least)


def _part(disk: WantedDisk, bus: str, path: str, kind: str, *, block: bool) -> Disk:
    return Disk(
        path=path,
        format=kind,
        bus=bus,
        block=block,
        cache=disk.cache,
        io=disk.io,
        discard=disk.discard,
        limits=disk.limits,
    )


def _block(pool: Pool) -> bool:
    return pool.type not in placement.FILES


def _free_name(pool: Pool, stem: str, ending: str) -> str:
    """The plain name, or one with a few letters more when a volume has it already."""
    plain = f"{stem}{ending}"
    taken = pool.volumes.filter(name=plain).exists()
    return f"{stem}-{secrets.token_hex(3)}{ending}" if taken else plain


def _new_mac() -> str:
    """One of QEMU's own."""
    return "52:54:00:" + ":".join(f"{byte:02x}" for byte in secrets.token_bytes(3))


def _processors(host: Host) -> list[Processor]:
    """Of all hosts that a guest of this one could move to."""
    rows = Host.objects.filter(arch=host.arch, maintenance=False).order_by("name")
    return [
        Processor(
            host=each.name,
            model=each.capabilities.get("host_cpu", ""),
            models=frozenset(each.capabilities.get("cpu_models", ())),
        )
        for each in rows
        if each.virt_type == host.virt_type
    ]


def _screen(host: Host, kind: str) -> Screen:
    """Where the console reaches it: directly, by a tunnel, or by the network."""
    if kind == "none" or host.transport in _OWN_MACHINE:
        return Screen(kind)
    listen = "127.0.0.1" if host.transport == Transport.SSH else "0.0.0.0"  # noqa: S104
    return Screen(kind, listen, guarded=True)


def _given(device: HostDevice) -> Given:
    if device.kind == "usb":
        return Given("usb", device.vendor_id, device.product_id)
    domain, bus, slot, function = (int(device.address.get(it, 0)) for it in PCI_PLACE)
    return Given("pci", domain=domain, bus=bus, slot=slot, function=function)
