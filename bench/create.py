"""How long it takes to have a guest, against virsh; and the pages around a new one."""

import base64
import http.client
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

from bench.figures import Figure, spread
from bench.ground import lab_and_product, until
from bench.pages import Browser
from deploy.lab_host import LabHost
from deploy.places import ROOT
from deploy.product import Product

MIB = 1024**2
ROUNDS = 8
HOSTS, NETWORKS, VOLUMES = 20, 200, 2000
RUNS = 40
KEY = "ssh-ed25519 " + base64.b64encode(
    b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20" + bytes(32)
).decode()  # fmt: skip


def measure(place: Path) -> list[Figure]:
    """Creating from an image, and the server's time for the two pages."""
    with lab_and_product(place) as (lab, product):
        figures = [_creating(lab.hosts[0], product)]
        return [*figures, *_pages(place, product)]


def _creating(host: LabHost, product: Product) -> Figure:
    host.virsh("vol-create-as", "default", "base.qcow2", "256M", "--format", "qcow2")
    image = image_of(product)
    by_api(product, image, 0)  # warms both ways
    document = host.virsh("dumpxml", "--inactive", "bench-api-0")
    _by_virsh(host, document, 0)
    quiet(host)
    ours, theirs = [], []
    for number in range(1, ROUNDS + 1):  # in turn, for a machine's speed drifts
        ours.append(by_api(product, image, number))
        quiet(host)
        theirs.append(_by_virsh(host, document, number))
        quiet(host)
    return Figure(
        "API create from an image on the host → running, against virsh",
        statistics.median(ours) / statistics.median(theirs),
        "×",
        1.2,
        behind=spread("api_s", ours) | spread("virsh_s", theirs),
    )


def image_of(product: Product) -> int:
    """The image of the volume, once it is ready."""
    until(lambda: bool(_volume(product)))
    told = {
        "name": "base",
        "cloud_init": True,
        "source": {"volume": _volume(product)},
    }
    said = product.call("POST", "images/", told)
    if said.status >= http.client.BAD_REQUEST:
        raise RuntimeError(f"The image was not taken: {said.body}")

    def ready() -> bool:
        items = product.call("GET", "images/").body["items"]
        return bool(items) and items[0]["state"] == "ready"

    until(ready, 60)
    return int(product.call("GET", "images/").body["items"][0]["id"])


def _volume(product: Product) -> int:
    host = product.call("GET", "hosts/").body["items"][0]["id"]
    for pool in product.call("GET", f"hosts/{host}/pools/").body["items"]:
        path = f"pools/{pool['id']}/volumes/?search=base.qcow2"
        for volume in product.call("GET", path).body["items"]:
            return int(volume["id"])
    return 0


def by_api(product: Product, image: int, number: int) -> float:
    """Seconds from asking to the guest being shown as running."""
    told = {
        "name": f"bench-api-{number}",
        "vcpus": 1,
        "memory_bytes": 64 * MIB,
        "disks": [{"image": image, "size_bytes": 512 * MIB}],
        "nics": [{"network": "default"}],
        "cloud_init": {"user": "bench", "ssh_keys": [KEY]},
    }
    begun = time.perf_counter()
    said = product.call("POST", "guests/", told)
    if said.status != http.client.ACCEPTED:
        raise RuntimeError(f"The guest was refused: {said.body}")
    path = f"guests/{said.body['guest']}/"

    def runs() -> bool:
        found = product.call("GET", path)
        return found.status == http.client.OK and found.body["state"] == "running"

    until(runs, 60, pause=0.005)
    taken = time.perf_counter() - begun
    path = f"operations/{said.body['id']}/"
    until(lambda: product.call("GET", path).body["state"] == "succeeded", 60)
    return taken


def _by_virsh(host: LabHost, document: str, number: int) -> float:
    """Seconds for the same, step by step: overlay, seed, definition, start."""
    name = f"bench-virsh-{number}"
    xml = document.replace("bench-api-0", name)
    before, _, rest = xml.partition("<uuid>")
    xml = f"{before}<uuid>{uuid.uuid4()}{rest[36:]}"
    virsh = ["virsh", "-q", "-c", host.uri]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "user-data").write_text(f"#cloud-config\nssh_keys: [{KEY}]\n")
        Path(folder, "meta-data").write_text(f"instance-id: {name}\n")
        begun = time.perf_counter()
        seed = Path(folder, "seed.iso")
        words = ["xorriso", "-as", "genisoimage", "-quiet", "-V", "cidata", "-J", "-r"]
        files = [str(Path(folder, it)) for it in ("user-data", "meta-data")]
        _run(*words, "-o", str(seed), *files)
        overlay = [f"{name}.qcow2", "512M", "--format", "qcow2"]
        below = ["--backing-vol", "base.qcow2", "--backing-vol-format", "qcow2"]
        _run(*virsh, "vol-create-as", "default", *overlay, *below)
        size = str(seed.stat().st_size)
        _run(*virsh, "vol-create-as", "default", f"{name}-seed.iso", size)
        _run(*virsh, "vol-upload", "--pool", "default", f"{name}-seed.iso", str(seed))
        path = Path(folder, "guest.xml")
        path.write_text(xml)
        _run(*virsh, "define", str(path))
        _run(*virsh, "start", name)
        return time.perf_counter() - begun


def quiet(host: LabHost) -> None:
    """Nobody runs: an emulated guest that finds nothing to boot takes a whole CPU."""
    for name in host.virsh("list", "--name").split():
        host.virsh("destroy", name)
    time.sleep(0.5)  # until what that set off is over


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)


def _pages(place: Path, product: Product) -> list[Figure]:
    """The server's time for the page of a new guest and that of one that is there."""
    add_paper(place, product)
    guest = product.call("GET", "guests/?search=paper").body["items"][0]["uuid"]
    browser = Browser(product)
    figures = []
    counts = _queries(product, "/guests/new/", f"/guests/{guest}/")
    for name, path in (
        ("page of a new guest", "/guests/new/"),
        ("page of a guest", f"/guests/{guest}/"),
    ):
        taken = milliseconds(browser, path)
        figures.append(
            Figure(
                f"{name}, {HOSTS} hosts, {NETWORKS} networks, {VOLUMES:,} volumes",
                statistics.median(taken),
                "ms",
                100,
                behind=spread("ms", taken) | {"queries": counts[path]},
            )
        )
    return figures


def milliseconds(browser: Browser, path: str) -> list[float]:
    for _ in range(3):
        browser.get(path)
    taken = []
    for _ in range(RUNS):
        begun = time.perf_counter()
        browser.get(path)
        taken.append((time.perf_counter() - begun) * 1000)
    return taken


def add_paper(place: Path, product: Product) -> None:
    """Hosts of libvirt's test driver with their share of networks and volumes."""
    for number in range(HOSTS):
        file = place / f"paper-{number}.xml"
        file.write_text(_paper(number))
        told = {"name": f"paper{number}", "transport": "test", "socket_path": str(file)}
        said = product.call("POST", "hosts/", told)
        if said.status != http.client.CREATED:
            raise RuntimeError(f"The test host was not added: {said.body}")

    def known() -> bool:
        hosts = product.call("GET", "hosts/?limit=100&search=paper").body["items"]
        return all(host["state"] == "up" for host in hosts)

    until(known, 120)


def _paper(number: int) -> str:
    networks = "".join(
        f"<network><name>net{number}-{n}</name><uuid>{uuid.uuid4()}</uuid>"
        f"<bridge name='br{number}x{n}'/><ip address='10.{number}.{n}.1' "
        "netmask='255.255.255.0'/></network>"
        for n in range(NETWORKS // HOSTS)
    )
    volumes = "".join(
        f"<volume><name>v{number}-{n}.{'iso' if n % 10 == 0 else 'qcow2'}</name>"
        f"<capacity>1000000</capacity><target><path>/paper{number}/v{n}</path></target>"
        "</volume>"
        for n in range(VOLUMES // HOSTS)
    )
    guest = (
        f"<domain type='test'><name>paper-{number}</name><uuid>{uuid.uuid4()}</uuid>"
        "<memory>65536</memory><vcpu>1</vcpu><os><type>hvm</type></os>"
        f"<devices><disk type='file' device='disk'><source file='/paper{number}/v1'/>"
        "<target dev='vda' bus='virtio'/></disk></devices></domain>"
    )
    pool = (
        f"<pool type='dir'><name>pool</name><uuid>{uuid.uuid4()}</uuid>"
        f"<target><path>/paper{number}</path></target>{volumes}</pool>"
    )
    return f"<node>{guest}{networks}{pool}</node>"


def _queries(product: Product, *paths: str) -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.queries", *paths],
        cwd=ROOT,
        env=product.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = (line.split() for line in done.stdout.splitlines())
    return {path: int(count) for path, count in lines}
