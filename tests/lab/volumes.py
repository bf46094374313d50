"""What tests of storage on real hosts ask, and the images they send."""

import http.client
import json
import os
import struct
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from deploy.product import Product, Reply
from tests.scene import ended
from tests.waiting import until

MIB = 1 << 20


def done(product: Product, said: Reply, seconds: float = 120) -> dict[str, Any]:
    """The operation that was accepted, ended well."""
    assert said.status == 202, said.body
    assert said.headers["location"] == f"/api/v1/operations/{said.body['id']}/"
    operation = ended(product, said.body["id"], seconds)
    assert operation["state"] == "succeeded", operation
    return operation


def failed(product: Product, said: Reply, seconds: float = 120) -> str:
    """The sentence of the operation that was accepted and came to nothing."""
    assert said.status == 202, said.body
    operation = ended(product, said.body["id"], seconds)
    assert operation["state"] == "failed", operation
    return str(operation["error"]["message"])


def host_id(product: Product, name: str) -> int:
    """The host of this name."""
    items = product.call("GET", "hosts/").body["items"]
    return int(next(each["id"] for each in items if each["name"] == name))


def pool(product: Product, host: int, name: str = "default") -> dict[str, Any]:
    """The pool of this name; empty while nobody has seen it."""
    items = product.call("GET", f"hosts/{host}/pools/").body["items"]
    return next((each for each in items if each["name"] == name), {})


def volume(product: Product, pool_id: int, name: str) -> dict[str, Any]:
    """The volume of this name, in whatever state; empty when there is none."""
    said = product.call("GET", f"pools/{pool_id}/volumes/?state=all&limit=500")
    return next((each for each in said.body["items"] if each["name"] == name), {})


def made(
    product: Product, pool_id: int, name: str, size: int, kind: str = "raw"
) -> int:
    """A new empty volume; its id."""
    body = {"name": name, "format": kind, "capacity_bytes": size}
    said = product.call("POST", f"pools/{pool_id}/volumes/", body)
    return int(done(product, said)["result"]["volume"])


def put(
    product: Product,
    volume_id: int,
    body: bytes | Iterable[bytes],
    *,
    length: int | None = None,
    path: str = "",
) -> Reply:
    """PUT the content of a volume, or to another path; chunked without a length."""
    headers = {"Authorization": f"Bearer {product.token}"}
    if length is not None:
        headers["Content-Length"] = str(length)
    address = path or f"/api/v1/volumes/{volume_id}/content/"
    with _connected(product) as there:
        with suppress(BrokenPipeError, ConnectionResetError):  # answered already
            there.request("PUT", address, body, headers, encode_chunked=length is None)
        answer = there.getresponse()
        text = answer.read()
        told = {name.lower(): value for name, value in answer.getheaders()}
    return Reply(answer.status, json.loads(text) if text else None, told)


def get(product: Product, volume_id: int) -> tuple[int, dict[str, str], bytes]:
    """GET the content of a volume: status, headers, bytes."""
    headers = {"Authorization": f"Bearer {product.token}"}
    with _connected(product) as there:
        there.request("GET", f"/api/v1/volumes/{volume_id}/content/", headers=headers)
        answer = there.getresponse()
        text = answer.read()
        told = {name.lower(): value for name, value in answer.getheaders()}
    return answer.status, told, text


def cut(product: Product, volume_id: int, length: int) -> dict[str, Any]:
    """Hang up in the middle of a body of this length; the upload, once it has ended."""
    before = _uploads(product)
    with _connected(product) as there:
        there.putrequest("PUT", f"/api/v1/volumes/{volume_id}/content/")
        there.putheader("Authorization", f"Bearer {product.token}")
        there.putheader("Content-Length", str(length))
        there.endheaders()
        there.send(os.urandom(length // 2))
    until(lambda: len(_uploads(product)) > len(before), why="It has not begun.")
    (new,) = [each for each in _uploads(product) if each not in before]
    return ended(product, new)


def _uploads(product: Product) -> list[str]:
    said = product.call("GET", "operations/?kind=volume.upload&limit=500").body
    return [each["id"] for each in said["items"]]


@contextmanager
def _connected(product: Product) -> Iterator[http.client.HTTPConnection]:
    there = http.client.HTTPConnection(
        "127.0.0.1", product.port, timeout=60, blocksize=MIB
    )
    with closing(there):
        yield there


def qcow2(folder: Path, *words: str, size: str = "64M") -> bytes:
    """An image as qemu-img makes it."""
    path = folder / "made.qcow2"
    made = ["qemu-img", "create", "-q", "-f", "qcow2", *words, str(path), size]
    subprocess.run(made, check=True)
    return path.read_bytes()


def claiming(image: bytes, size: int) -> bytes:
    """The qcow2 image, saying that it is so large."""
    return image[:24] + struct.pack(">Q", size) + image[32:]


def pieces(data: bytes, size: int = MIB) -> Iterator[bytes]:
    """The data in parts."""
    return (data[at : at + size] for at in range(0, len(data), size))


def gone(product: Product, pool_id: int, name: str) -> None:
    """Wait until nobody knows a volume of this name."""
    until(lambda: not volume(product, pool_id, name), 20, why=f"{name} is still there.")


def unfinished_is_gone(product: Product, pool_id: int, name: str) -> None:
    """Wait until a volume of this name is whole, or not there at all."""
    until(
        lambda: volume(product, pool_id, name).get("state") in {None, "ready"},
        90,
        why=f"{name} stays half made.",
    )
