"""What was typed on the page of a new guest, as the wish that it means."""

import re
from collections.abc import Iterator
from typing import Any

from guests.creation import osinfo, wanted
from guests.creation.wanted import Cpu, Limits, Share, Wanted, WantedDisk, WantedNic
from guests.images.models import Image
from guests.images.seed import Card, CloudInit

Told = dict[str, Any]
_WHERE = (  # what the API calls a part: the field that it was typed in
    (r"disks\.0\.(image|volume)", r"\1"),
    (r"disks\.0\.size_bytes", "disk"),
    (r"disks\.1\..*", "disk2"),
    (r"disks\.0\.(pool|bus|cache|io|format)", r"\1"),
    (r"disks\.0\.limits\.(.*)", r"\1"),
    (r"nics\.0\.network", "network"),
    (r"nics\.1\..*", "network2"),
    (r"nics\.0\.(bridge|mac|model)", r"\1"),
    (r"nics\.0\.(in|out)bound_kib_s", r"\1bound"),
    (r"cdroms\.1", "drivers"),
    (r"memory_bytes", "memory"),
    (r"memory_max_bytes", "memory_max"),
    (r"cpu\.mode", "cpu_mode"),
    (r"cpu\.model", "cpu_model"),
    (r"cpu\.(sockets|cores|threads)", "sockets"),
    (r"cloud_init\.(hostname|user|password|user_data)", r"ci_\1"),
    (r"cloud_init\.ssh_keys", "ci_keys"),
    (r"cloud_init\.network", "ci_address"),
    (r"host_devices.*", "devices"),
)
_CLOUD = (
    "hostname",
    "user",
    "password",
    "keys",
    "address",
    "gateway",
    "dns",
    "user_data",
)


def wanted_of(told: Told, username: str) -> Wanted:
    """The wish; what was left empty is what the system likes."""
    likes = osinfo.defaults(system_of(told))
    return Wanted(
        name=told["name"],
        count=told["count"] or 1,
        vcpus=told["vcpus"] or likes.vcpus,
        memory_bytes=told["memory"] or likes.memory_bytes,
        host=told["host"],
        os=told["os"],
        firmware=told["firmware"],
        title=told["title"],
        description=told["description"].replace("\r\n", "\n"),  # libvirt keeps these
        owner=told.get("owner", username),
        tags=tuple(dict.fromkeys(told["tags"].lower().replace(",", " ").split())),
        start=told["start"],
        autostart=told["autostart"],
        cpu=_cpu(told),
        vcpus_max=told["vcpus_max"],
        memory_max_bytes=told["memory_max"],
        balloon=told["balloon"],
        hugepages=told["hugepages"],
        iothreads=told["iothreads"] or 0,
        disks=tuple(_disks(told, likes)),
        nics=tuple(_nics(told)),
        cdroms=tuple(_cdroms(told)),
        tpm={"yes": True, "no": False}.get(told["tpm"]),
        watchdog=told["watchdog"],
        rng=told["rng"],
        screen=told["screen"] or "vnc",
        boot=tuple(told["boot"].split()) or wanted.BOOTS,
        host_devices=tuple(int(it) for it in told.get("devices", ()) if it.isdecimal()),
        shares=tuple(_shares(told.get("shares", ""))),
    )


def cloud_of(told: Told) -> CloudInit | None:
    """Who the guest is told to be; None when nothing was said, or there is no image."""
    said = {part: told[f"ci_{part}"] for part in _CLOUD}
    if told["source"] not in {"image", "volume"} or not any(said.values()):
        return None
    network: tuple[Card, ...] = ()
    if said["address"] or said["gateway"] or said["dns"]:
        servers = tuple(said["dns"].replace(",", " ").split())
        addresses = tuple(said["address"].replace(",", " ").split())
        network = (Card("", addresses, said["gateway"], servers),)
    return CloudInit(
        hostname=said["hostname"],
        user=said["user"],
        password=said["password"],
        ssh_keys=tuple(line for line in said["keys"].splitlines() if line.strip()),
        user_data=said["user_data"].replace("\r\n", "\n"),
        network=network,
    )


def system_of(told: Told) -> str:
    """The operating system that was chosen, or that of the image."""
    chosen: str = told["os"]
    if chosen or told["source"] != "image" or not told["image"].isdecimal():
        return chosen
    rows = Image.objects.filter(pk=int(told["image"][:18]))
    return rows.values_list("os", flat=True).first() or ""


def field_of(part: str, source: str) -> str:
    """The field in which a part of the wish was typed."""
    for pattern, field in _WHERE:
        if match := re.fullmatch(pattern, part):
            return match.expand(field)
    if part == "cdroms.0":
        return "iso" if source == "iso" else "drivers"
    return part


def _cpu(told: Told) -> Cpu:
    shape = [told["sockets"], told["cores"], told["threads"]]
    sockets, cores, threads = shape if not any(shape) else [it or 1 for it in shape]
    return Cpu(told["cpu_mode"], told["cpu_model"], sockets, cores, threads)


def _disks(told: Told, likes: osinfo.Defaults) -> Iterator[WantedDisk]:
    shape: dict[str, Any] = {
        "bus": told["bus"] or ("virtio" if told["drivers"] else ""),
        "cache": told["cache"],
        "io": told["io"],
    }
    new = {"pool": told["pool"], "format": told["format"]}
    limits = Limits(
        total_bytes_s=told["total_bytes_s"] or 0, total_iops=told["total_iops"] or 0
    )
    size: int | None = told["disk"]
    match told["source"]:
        case "image":
            yield WantedDisk(
                image=told["image"],
                size_bytes=size,
                copy=told["copy"],
                limits=limits,
                **shape,
                **new,
            )
        case "volume":
            yield WantedDisk(volume=told["volume"], limits=limits, **shape)
        case _ if size != 0:
            size = size or likes.disk_bytes
            yield WantedDisk(size_bytes=size, limits=limits, **shape, **new)
    if told["disk2"]:
        yield WantedDisk(size_bytes=told["disk2"], **shape, **new)


def _nics(told: Told) -> Iterator[WantedNic]:
    model = told["model"] or ("virtio" if told["drivers"] else "")
    limits: dict[str, Any] = {
        "inbound_kib_s": told["inbound"] or 0,
        "outbound_kib_s": told["outbound"] or 0,
    }
    mac = told["mac"].strip().lower()
    if told["bridge"]:
        yield WantedNic(bridge=told["bridge"], model=model, mac=mac, **limits)
    elif told["network"]:
        yield WantedNic(network=told["network"], model=model, mac=mac, **limits)
    if told["network2"]:
        yield WantedNic(network=told["network2"], model=model)


def _cdroms(told: Told) -> Iterator[str]:
    if told["source"] == "iso" and told["iso"]:
        yield told["iso"]
    if told["drivers"]:
        yield told["drivers"]


def _shares(typed: str) -> Iterator[Share]:
    for line in typed.splitlines():
        path, _, tag = line.strip().rpartition(" ")
        if line.strip():
            yield Share(path.strip(), tag)
