"""Volumes are made, filled, read, copied, grown and thrown away on real hosts."""

import hashlib
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from deploy.lab_host import LabHost
from deploy.product import Product
from tests.lab import volumes as ask
from tests.lab.volumes import MIB
from tests.scene import active
from tests.waiting import until

pytestmark = pytest.mark.lab
IMAGES = "var/lib/libvirt/images"
SMALL = "/var/lib/libvirt/small"
SECRET = b"planted-in-a-file-of-the-host"


@pytest.fixture
def small(product: Product, kvm: LabHost) -> Iterator[int]:
    """A pool of 16 MiB of the first host, made through the API; its id."""
    kvm.run("mkdir", "-p", SMALL)
    kvm.run("mount", "-t", "tmpfs", "-o", "size=16m", "small", SMALL)
    host = ask.host_id(product, kvm.name)
    body = {"name": "small", "type": "dir", "target": SMALL}
    made = product.call("POST", f"hosts/{host}/pools/", body)
    pool = ask.done(product, made)["result"]["pool"]
    yield pool
    kvm.virsh("pool-destroy", "small")
    kvm.virsh("pool-undefine", "small")
    kvm.run("umount", SMALL)


def files(kvm: LabHost) -> set[str]:
    """What lies in the default pool."""
    return {path.name for path in (kvm.root / IMAGES).iterdir()}


def thrown_away(product: Product, *volumes: int) -> None:
    for volume in volumes:
        ask.done(product, product.call("DELETE", f"volumes/{volume}/?now=true"))


def test_a_volume_is_made_filled_read_filled_again_and_deleted(
    product: Product, kvm: LabHost, home: int
) -> None:
    content, other = os.urandom(3 * MIB + 17), os.urandom(MIB)
    volume = ask.made(product, home, "round.img", len(content))
    done = ask.done(product, ask.put(product, volume, content, length=len(content)))
    assert done["result"]["bytes"] == len(content)
    assert (kvm.root / IMAGES / "round.img").read_bytes() == content
    status, headers, back = ask.get(product, volume)
    assert (status, headers["content-length"]) == (200, str(len(content)))
    assert 'filename="round.img"' in headers["content-disposition"]
    assert "x-kvmweb-operation" not in headers
    assert back == content
    again = ask.put(product, volume, ask.pieces(other, 70000))  # in chunks
    volume = ask.done(product, again)["result"]["volume"]
    zeros = bytes(len(content) - len(other))
    assert (kvm.root / IMAGES / "round.img").read_bytes() == other + zeros
    assert not [name for name in files(kvm) if ".upload-" in name]
    thrown_away(product, volume)
    assert "round.img" not in files(kvm)
    ask.gone(product, home, "round.img")
    until(lambda: not active(product))  # the host's end of the download
    audit = product.call("GET", "audit/?limit=500").body["items"]
    actions = {each["action"] for each in audit if each["outcome"] == "succeeded"}
    assert {"volume.upload", "volume.download", "volume.delete"} <= actions


def test_an_image_is_judged_and_its_size_is_then_believed(
    product: Product, kvm: LabHost, home: int, tmp_path: Path
) -> None:
    image = ask.qcow2(tmp_path, size="7G")
    volume = ask.made(product, home, "sent.qcow2", 10 * MIB, "qcow2")
    sent = ask.done(product, ask.put(product, volume, ask.pieces(image)))
    volume = sent["result"]["volume"]
    until(lambda: ask.volume(product, home, "sent.qcow2")["capacity_bytes"] == 7 << 30)
    said = product.call("GET", f"volumes/{volume}/").body
    assert (said["format"], said["state"], said["used_by"]) == ("qcow2", "ready", [])
    assert ask.get(product, volume)[2] == image
    thrown_away(product, volume)


def hostile(folder: Path, within: str) -> dict[str, tuple[bytes, str]]:
    """What must not become a volume, and what is said about it."""
    plain = ask.qcow2(folder)
    below = ("-F", "raw", "-u")
    return {
        "text": (b"root:x:0:0\n" * 1000, "no qcow2 image but a text"),
        "random": (os.urandom(2 * MIB), "no qcow2 image"),
        "backing": (ask.qcow2(folder, "-b", within, *below), "stands on another file"),
        "json": (
            ask.qcow2(folder, "-b", f'json:{{"file":"{within}"}}', *below),
            "stands on another file",
        ),
        "data": (
            ask.qcow2(folder, "-o", f"data_file={folder}/data"),
            "data in another file",
        ),
        "eib": (ask.claiming(plain, 2**63), "TiB large"),
        "short": (plain[:60], "ends within its header"),
        "empty": (b"", "is empty"),
        "table": (
            plain[:40] + (3).to_bytes(8, "big") + plain[48:],
            "qemu-img cannot read",
        ),
    }


def test_what_is_hostile_or_no_image_is_refused_and_gone(
    product: Product, kvm: LabHost, home: int, tmp_path: Path
) -> None:
    secret = kvm.root / IMAGES / "secret.txt"
    secret.write_bytes(SECRET)
    before = files(kvm)
    bad = hostile(tmp_path, "/var/lib/libvirt/images/secret.txt")
    for name, (content, sentence) in bad.items():
        volume = ask.made(product, home, f"{name}.qcow2", 4 * MIB, "qcow2")
        said = ask.put(product, volume, content, length=len(content))
        if said.status == 202:  # its host has it, and then it was looked at closely
            told = ask.failed(product, said)
        else:
            assert said.status == 422, (name, said)
            assert said.headers["content-type"] == "application/problem+json"
            told = said.body["detail"]
        assert sentence in told, name
        assert SECRET.decode() not in told
        ask.gone(product, home, f"{name}.qcow2")
    assert files(kvm) == before
    secret.unlink()


def test_what_does_not_fit_is_refused(
    product: Product, kvm: LabHost, home: int, tmp_path: Path
) -> None:
    before = files(kvm)
    image = ask.qcow2(tmp_path)
    raw = ask.made(product, home, "raw.img", 4 * MIB)
    said = ask.put(product, raw, image, length=len(image))
    assert (said.status, "the volume is raw" in said.body["detail"]) == (422, True)
    long = ask.made(product, home, "long.img", MIB)
    said = ask.put(product, long, bytes(MIB + 1), length=MIB + 1)
    assert (said.status, "has room for" in said.body["detail"]) == (422, True)
    said = ask.put(product, long, ask.pieces(bytes(2 * MIB)))  # its length is not told
    assert (said.status, "larger than" in said.body["detail"]) == (422, True)
    ask.gone(product, home, "raw.img")
    ask.gone(product, home, "long.img")
    assert files(kvm) == before


def test_an_upload_that_is_cut_off_leaves_nothing(
    product: Product, kvm: LabHost, home: int
) -> None:
    before = files(kvm)
    volume = ask.made(product, home, "cut.img", 64 * MIB)
    operation = ask.cut(product, volume, 64 * MIB)
    assert operation["state"] == "failed"
    assert "cut off in the middle" in operation["error"]["message"]
    ask.gone(product, home, "cut.img")
    kept = ask.made(product, home, "kept.img", 4 * MIB)
    content = os.urandom(4 * MIB)
    ask.done(product, ask.put(product, kept, content, length=len(content)))
    assert ask.cut(product, kept, 4 * MIB)["state"] == "failed"
    assert ask.get(product, kept)[2] == content  # what was in it stays in it
    thrown_away(product, kept)
    assert files(kvm) == before


def test_a_pool_that_fills_up_in_the_middle(
    product: Product, kvm: LabHost, small: int
) -> None:
    volume = ask.made(product, small, "big.img", 64 * MIB)
    content = os.urandom(40 * MIB)
    said = ask.put(product, volume, content, length=len(content))
    assert said.status == 409, said
    assert "no space left" in said.body["detail"]
    ask.gone(product, small, "big.img")
    assert kvm.run("ls", SMALL) == ""
    source = ask.made(product, small, "half.img", 10 * MIB)
    half = os.urandom(10 * MIB)
    ask.done(product, ask.put(product, source, half, length=len(half)))
    copied = product.call("POST", f"volumes/{source}/clone/", {"name": "copy.img"})
    assert "no space left" in ask.failed(product, copied)
    assert not ask.volume(product, small, "copy.img")
    thrown_away(product, source)


def test_copies_conversions_growth(product: Product, kvm: LabHost, home: int) -> None:
    content = os.urandom(2 * MIB)
    source = ask.made(product, home, "source.img", len(content))
    ask.done(product, ask.put(product, source, content, length=len(content)))
    said = product.call("POST", f"volumes/{source}/clone/", {"name": "copy.img"})
    copy = ask.done(product, said)["result"]["volume"]
    assert (kvm.root / IMAGES / "copy.img").read_bytes() == content
    body = {"name": "other.qcow2", "format": "qcow2"}
    said = product.call("POST", f"volumes/{source}/convert/", body)
    other = ask.done(product, said)["result"]["volume"]
    known = product.call("GET", f"volumes/{other}/").body
    assert (known["format"], known["capacity_bytes"]) == ("qcow2", len(content))
    said = product.call("PATCH", f"volumes/{other}/", {"capacity_bytes": 1 << 30})
    ask.done(product, said)
    until(lambda: ask.volume(product, home, "other.qcow2")["capacity_bytes"] == 1 << 30)
    body = {"name": "top.qcow2", "capacity_bytes": 1 << 30, "backing": other}
    made = product.call("POST", f"pools/{home}/volumes/", body)
    top = ask.done(product, made)["result"]["volume"]
    below = product.call("DELETE", f"volumes/{other}/")
    assert (below.status, "top.qcow2" in below.body["detail"]) == (409, True)
    thrown_away(product, top, other, copy, source)


def test_what_a_guest_wrote_into_its_raw_disk_copies_no_file_of_the_host(
    product: Product, kvm: LabHost, home: int, tmp_path: Path
) -> None:
    secret = kvm.root / IMAGES / "secret.txt"
    secret.write_bytes(SECRET * 4096)
    within = "/var/lib/libvirt/images/secret.txt"
    volume = ask.made(product, home, "guest.img", MIB)
    header = ask.qcow2(tmp_path, "-b", within, "-F", "raw", "-u", size="64k")
    path = kvm.root / IMAGES / "guest.img"
    path.write_bytes(header[: 1 << 18].ljust(MIB, b"\0"))  # as its guest would
    kvm.virsh("pool-refresh", "default")
    until(lambda: ask.volume(product, home, "guest.img"))
    assert product.call("GET", f"volumes/{volume}/").body["format"] == "raw"
    body = {"name": "out.img", "format": "raw"}
    said = product.call("POST", f"volumes/{volume}/convert/", body)
    assert "its guest may have written them" in ask.failed(product, said)
    assert "out.img" not in files(kvm)
    secret.unlink()
    path.unlink()
    kvm.virsh("pool-refresh", "default")
    ask.gone(product, home, "guest.img")


def test_a_pool_lives_its_life(product: Product, kvm: LabHost, small: int) -> None:
    def pool() -> dict[str, object]:
        return dict(product.call("GET", f"pools/{small}/").body)

    assert (pool()["active"], pool()["autostart"], pool()["type"]) == (
        True,
        True,
        "dir",
    )
    assert pool()["capacity_bytes"] == 16 * MIB
    ask.done(product, product.call("PATCH", f"pools/{small}/", {"autostart": False}))
    until(lambda: pool()["autostart"] is False)
    ask.done(product, product.call("POST", f"pools/{small}/stop/"))
    until(lambda: pool()["active"] is False)
    refused = product.call(
        "POST", f"pools/{small}/volumes/", {"name": "a", "capacity_bytes": 1}
    )
    assert (refused.status, "not active" in refused.body["detail"]) == (409, True)
    ask.done(product, product.call("POST", f"pools/{small}/start/"))
    until(lambda: pool()["active"] is True)
    kvm.run("truncate", "-s", "4096", f"{SMALL}/found.img")
    ask.done(product, product.call("POST", f"pools/{small}/refresh/"))
    until(lambda: ask.volume(product, small, "found.img"))


def test_a_pool_that_cannot_start_is_not_defined_either(
    product: Product, kvm: LabHost
) -> None:
    host = ask.host_id(product, kvm.name)
    offered = product.call("GET", f"hosts/{host}/capabilities/").body["pool_types"]
    body = {"name": "nowhere", "type": "logical", "source": "no-such-group"}
    said = product.call("POST", f"hosts/{host}/pools/", body)
    if "logical" in offered:
        assert ask.failed(product, said)
    else:
        assert said.body["code"] == "unsupported"
    body = {"name": "san", "type": "netfs", "target": "/var/lib/libvirt/san"}
    said = product.call(
        "POST", f"hosts/{host}/pools/", body | {"source": "nobody.invalid:/x"}
    )
    assert ask.failed(product, said, 90)
    assert "nowhere" not in kvm.virsh("pool-list", "--all", "--name").split()
    assert "san" not in kvm.virsh("pool-list", "--all", "--name").split()


def test_a_real_guest_keeps_its_disk(product: Product, kvm: LabHost, home: int) -> None:
    uuid = str(kvm.define_demo("keeper", disk_mib=8, network=""))
    kvm.virsh("pool-refresh", "default")
    until(lambda: ask.volume(product, home, "keeper.qcow2").get("used_by"), 40)
    disk = ask.volume(product, home, "keeper.qcow2")
    assert [user["guest"] for user in disk["used_by"]] == [uuid]
    for path in (f"volumes/{disk['id']}/", f"volumes/{disk['id']}/?now=true"):
        said = product.call("DELETE", path)
        assert (said.status, "keeper" in said.body["detail"]) == (409, True)
    for method, path in (("POST", f"pools/{home}/stop/"), ("DELETE", f"pools/{home}/")):
        said = product.call(method, path)
        assert (said.status, "keeper" in said.body["detail"]) == (409, True)
    put = ask.put(product, disk["id"], bytes(10), length=10)
    assert (put.status, "keeper" in put.body["detail"]) == (409, True)
    kvm.virsh("destroy", uuid)
    kvm.virsh("undefine", uuid)
    until(lambda: not ask.volume(product, home, "keeper.qcow2").get("used_by"), 40)
    thrown_away(product, disk["id"])


def test_curl_says_expect_and_gets_it(product: Product, home: int) -> None:
    """A client that waits for 100 Continue is refused before it sends anything."""
    volume = ask.made(product, home, "curl.img", 4 * MIB)
    address = f"{product.url}/api/v1/volumes/{volume}/content/"
    sent = ["curl", "-sS", "-X", "PUT", "--data-binary", "@-", address]
    sent += ["-H", f"Authorization: Bearer {product.token}"]
    sent += ["-H", "Content-Type: application/octet-stream"]
    sent += ["-o", "/dev/null", "-w", "%{http_code}"]
    good = subprocess.run(sent, input=bytes(4 * MIB), capture_output=True, check=True)
    assert good.stdout == b"202", good.stderr
    until(lambda: not active(product), 20)
    bad = subprocess.run(sent, input=bytes(5 * MIB), capture_output=True, check=True)
    assert bad.stdout == b"422", bad.stderr
    thrown_away(product, ask.volume(product, home, "curl.img")["id"])


def test_a_file_of_the_web_is_fetched_if_it_is_the_one(
    product: Product, kvm: LabHost, home: int, tmp_path: Path
) -> None:
    content = os.urandom(2 * MIB)
    (tmp_path / "disk.img").write_bytes(content)
    right = hashlib.sha256(content).hexdigest()
    with web(tmp_path) as address:
        volume = ask.made(product, home, "fetched.img", len(content))
        body = {"url": f"{address}/disk.img", "sha256": right}
        ask.done(product, product.call("POST", f"volumes/{volume}/fetch/", body))
        assert (kvm.root / IMAGES / "fetched.img").read_bytes() == content
        other = ask.made(product, home, "other.img", len(content))
        body = {"url": f"{address}/disk.img", "sha256": "0" * 64}
        said = product.call("POST", f"volumes/{other}/fetch/", body)
        assert f"checksum is {right}" in ask.failed(product, said)
        ask.gone(product, home, "other.img")
    private = {"url": "http://10.255.255.1/x"}
    said = product.call("POST", f"volumes/{volume}/fetch/", private)
    assert "private network" in ask.failed(product, said)
    assert ask.get(product, volume)[2] == content  # it is as it was
    thrown_away(product, volume)


@contextmanager
def web(folder: Path) -> Iterator[str]:
    """A web server with the files of a folder; the product may ask it."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
