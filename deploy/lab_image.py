"""`make lab-image`: the small Debian of deploy.debian, registered in the running product.

.venv/bin/python -m deploy.lab_image           # make it and register it
.venv/bin/python -m deploy.lab_image build     # only make it; prints where it is
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from deploy import debian, processes
from deploy.debian import ImageError

_ENDED = {"succeeded", "failed", "cancelled"}
_LONGEST_S = 600
_ASK_S = 0.5
_FILE_POOLS = ("dir", "fs", "netfs")


def main(verb: str) -> int:
    """Make the image, and register it unless only that was asked for; exit status."""
    try:
        path = debian.build()
        print(path)
        if verb != "build":
            print(_register(path))
    except (ImageError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


class _Product:
    """The product that runs with these settings, by its API."""

    def __init__(self) -> None:
        port = os.environ.get("KVMWEB_PORT") or "8000"
        self._url = f"http://127.0.0.1:{port}"
        self._token = ""

    def runs(self) -> bool:
        """Whether it answers."""
        try:
            with urllib.request.urlopen(f"{self._url}/healthz", timeout=5) as answer:  # noqa: S310  ours
                return int(answer.status) == 200
        except OSError:
            return False

    def __enter__(self) -> "_Product":
        self._token = _token()
        return self

    def __exit__(self, *_about: object) -> None:
        """The token was for this alone."""
        for each in self.call("GET", "tokens/")["items"]:
            if self._token.startswith(str(each.get("prefix", "?"))):
                self.call("DELETE", f"tokens/{each['id']}/")

    def call(self, method: str, path: str, body: object = None) -> Any:
        """What the API says. Raises ImageError with its sentence when it refuses."""
        data = body if isinstance(body, bytes) or body is None else _json(body)
        return self._sent(method, path, data, "application/json")

    def put(self, path: str, file: Path) -> Any:
        """Send a file; it is read piece by piece."""
        with file.open("rb") as content:
            return self._sent(
                "PUT", path, content, "application/octet-stream", file.stat().st_size
            )

    def ended(self, operation: dict[str, Any]) -> dict[str, Any]:
        """The operation, once it has ended well. Raises ImageError when it has not."""
        until = time.monotonic() + _LONGEST_S
        while operation["state"] not in _ENDED:
            if time.monotonic() > until:
                raise ImageError(f"“{operation['kind']}” takes too long.")
            time.sleep(_ASK_S)
            operation = self.call("GET", f"operations/{operation['id']}/")
        if operation["state"] != "succeeded":
            raise ImageError(operation["message"])
        return operation

    def _sent(
        self, method: str, path: str, data: Any, kind: str, length: int | None = None
    ) -> Any:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": kind}
        if length is not None:
            headers["Content-Length"] = str(length)
        request = urllib.request.Request(  # noqa: S310  our own address
            f"{self._url}/api/v1/{path}", method=method, data=data, headers=headers
        )
        try:
            with urllib.request.urlopen(request, timeout=300) as answer:  # noqa: S310  ours
                text = answer.read()
        except urllib.error.HTTPError as refusal:
            told = json.loads(refusal.read() or b"{}")
            raise ImageError(
                f"{told.get('detail', refusal)} {told.get('hint', '')}".strip()
            ) from refusal
        return json.loads(text) if text else None


def _register(path: Path) -> str:
    """Upload it to the first host that can take it; what became of it, in words."""
    product = _Product()
    if not product.runs():
        return "No product answers, so it was not registered: start it by 'make run'."
    name = f"{debian.NAME} {debian.VERSION}"
    with product:
        for image in product.call("GET", f"images/?search={debian.VERSION}")["items"]:
            if (image["name"], image["version"]) != (debian.NAME, debian.VERSION):
                continue
            if image["state"] == "ready":
                return f"{name} is registered already."
            product.call("DELETE", f"images/{image['id']}/?copies=delete")
        pool = _pool(product)
        if pool is None:
            return (
                "No host that answers has an active pool of files, so it was not "
                "registered: try 'make lab' first."
            )
        _upload(product, path, pool["id"])
        host = product.call("GET", f"hosts/{pool['host']}/")["name"]
    return f"{name} is registered; it lies on {host}."


def _pool(product: _Product) -> dict[str, Any] | None:
    """Where it is put: the pool with most space on a host that is up."""
    found = []
    for host in product.call("GET", "hosts/?limit=500")["items"]:
        if host["state"] != "up":
            continue
        pools = product.call("GET", f"hosts/{host['id']}/pools/?limit=500")["items"]
        found += [it for it in pools if it["active"] and it["type"] in _FILE_POOLS]
    return max(found, key=lambda it: int(it["available_bytes"]), default=None)


def _upload(product: _Product, path: Path, pool: int) -> None:
    about = {
        "name": debian.NAME,
        "version": debian.VERSION,
        "os": debian.OS,
        "cloud_init": True,
        "source": {"upload": {"pool": pool, "format": "qcow2"}},
    }
    begun = product.ended(product.call("POST", "images/", about))
    image = begun["result"]["image"]
    product.ended(product.put(f"images/{image}/content/", path))
    until = time.monotonic() + _LONGEST_S
    while (told := product.call("GET", f"images/{image}/"))["state"] != "ready":
        if told["state"] == "failed" or time.monotonic() > until:
            raise ImageError(told["problem"] or "Its image does not become ready.")
        time.sleep(_ASK_S)


def _json(body: object) -> bytes:
    return json.dumps(body).encode()


def _token() -> str:
    try:
        return processes.managed("create_token", "admin")
    except processes.ManageError as error:
        message = f"The product's database cannot be asked: {error}"
        raise ImageError(message) from error


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:] or ["register"]))
