"""A real Debian in tests: its image in a product, and somebody who signs in to it."""

import time
from pathlib import Path
from typing import Self
from uuid import UUID

from deploy import debian
from deploy.lab_host import LabHost
from deploy.product import Product
from tests.lab import volumes as ask
from tests.lab.shell import Shell
from tests.waiting import until

BOOT_S = 300.0  # emulated; 50 s where nothing else runs
_ANSWER_S = 60.0


def registered(product: Product, pool_id: int, path: Path) -> int:
    """The lab image, uploaded to this pool by the API and ready; its id."""
    about = {
        "name": debian.NAME,
        "version": debian.VERSION,
        "os": debian.OS,
        "cloud_init": True,
        "source": {"upload": {"pool": pool_id, "format": "qcow2"}},
    }
    begun = ask.done(product, product.call("POST", "images/", about))
    image = int(begun["result"]["image"])
    with path.open("rb") as content:
        said = ask.put(
            product,
            0,
            iter(lambda: content.read(ask.MIB), b""),
            length=path.stat().st_size,
            path=f"/api/v1/images/{image}/content/",
        )
    ask.done(product, said)
    until(
        lambda: product.call("GET", f"images/{image}/").body["state"] == "ready",
        60,
        why=str(product.call("GET", f"images/{image}/").body),
    )
    return image


class Debian(Shell):
    """A Debian on its serial port: boots, is signed in to, runs commands."""

    def __init__(self, host: LabHost, uuid: UUID) -> None:
        super().__init__(host, uuid)
        self.greeting = ""

    def signed_in(self, user: str, password: str) -> Self:
        """Once somebody has signed in; `greeting` is what stood before the prompt."""
        self._until("login: ", BOOT_S, enter_s=10)
        self.greeting = self._heard
        self._type(f"{user}\n")
        self._until("assword: ", _ANSWER_S)
        self._heard = ""
        self._type(f"{password}\n")
        self._until("$ ", _ANSWER_S)
        return self

    def _until(self, wanted: str, seconds: float, enter_s: float = 0) -> None:
        """Read on; `enter_s`: press Enter when nothing has come for so long."""
        end, quiet = time.monotonic() + seconds, time.monotonic()
        length = 0
        while wanted not in self._heard:
            self._hear(end)
            if len(self._heard) != length:
                length, quiet = len(self._heard), time.monotonic()
            elif enter_s and time.monotonic() - quiet > enter_s:
                self._type("\n")
                quiet = time.monotonic()
