"""How long the server takes for list pages with 1,000 guests, alone and under load."""

import http.client
import re
import statistics
import subprocess
import sys
import threading
import time
import urllib.parse
import uuid
from pathlib import Path

from bench.figures import Figure, spread
from bench.ground import lab_and_product, until
from deploy.lab import Lab
from deploy.places import ROOT
from deploy.product import PASSWORD, Product

GUESTS = 1000
RUNS = 60
ROUNDS = 4
CLIENTS = 8
LOAD_S = 10
LISTS = ("/guests/", "/hosts/", "/operations/", "/audit/", "/users/", "/")

_DOMAIN = """<domain type='test'><name>guest-{n:04}</name><uuid>{uuid}</uuid>
<memory unit='MiB'>{memory}</memory><vcpu>{vcpus}</vcpu><os><type>hvm</type></os>
<devices><disk type='file' device='disk'><source file='/guests/{n}.img'/>
<target dev='vda' bus='virtio'/></disk>
<interface type='network'><mac address='52:54:00:00:{high:02x}:{low:02x}'/>
<source network='default'/></interface></devices></domain>"""


class Browser:
    """One signed-in client with one kept connection."""

    def __init__(self, product: Product) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", product.port)
        self._cookies: dict[str, str] = {}
        form = self.get("/login/")
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
        if found is None:
            raise RuntimeError("The sign-in page has no form.")
        fields = {
            "csrfmiddlewaretoken": found[1],
            "username": "admin",
            "password": PASSWORD,
        }
        self._ask("POST", "/login/", urllib.parse.urlencode(fields))
        if "sessionid" not in self._cookies:
            raise RuntimeError("The sign-in was refused.")

    def get(self, path: str) -> str:
        """The page's text. Raises RuntimeError unless it is a 200."""
        status, text = self._ask("GET", path)
        if status != http.client.OK:
            raise RuntimeError(f"{path} answered {status}.")
        return text

    def _ask(self, method: str, path: str, body: str | None = None) -> tuple[int, str]:
        headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in self._cookies.items())}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            headers["Referer"] = f"http://127.0.0.1:{self._connection.port}{path}"
        try:
            self._connection.request(method, path, body, headers)
            answer = self._connection.getresponse()
        except (http.client.RemoteDisconnected, ConnectionError):
            # It was idle for longer than the server keeps a connection.
            self._connection.close()
            self._connection.request(method, path, body, headers)
            answer = self._connection.getresponse()
        for name, value in answer.getheaders():
            if name.lower() == "set-cookie":
                key, _, rest = value.partition("=")
                self._cookies[key] = rest.split(";")[0]
        return answer.status, answer.read().decode()


def measure(place: Path) -> list[Figure]:
    """Server time of the guest list, with and without a hung host, and under load."""
    with lab_and_product(place) as (lab, product):
        _thousand_guests(place, product)
        browser = Browser(product)
        _milliseconds(browser)  # warms both workers
        well, hung = [], []
        for _ in range(ROUNDS):  # in turn, for a machine's speed drifts
            well += _milliseconds(browser)
            hung += _with_hung_host(lab, browser)
        rate = _pages_a_second(product)
        figures = [
            Figure(
                f"guest list page, {GUESTS:,} guests, server time (median)",
                statistics.median(well),
                "ms",
                40,
                behind=spread("ms", well),
            ),
            Figure(
                "the same with one host hung, against without",
                statistics.median(hung) / statistics.median(well),
                "×",
                1.1,
                behind=spread("ms", hung),
            ),
            Figure(
                f"the same page asked by {CLIENTS} clients at once",
                rate,
                "pages/s",
                75,
                at_least=True,
            ),
        ]
        return [*figures, _queries(product)]


def _thousand_guests(place: Path, product: Product) -> None:
    file = place / "thousand.xml"
    domains = "\n".join(
        _DOMAIN.format(
            n=n,
            uuid=uuid.UUID(int=n + 1),
            memory=256 + n % 64,
            vcpus=1 + n % 8,
            high=n // 256,
            low=n % 256,
        )
        for n in range(GUESTS)
    )
    file.write_text(f"<node>{domains}</node>")
    said = product.call(
        "POST",
        "hosts/",
        {"name": "thousand", "transport": "test", "socket_path": str(file)},
    )
    if said.status != http.client.CREATED:
        raise RuntimeError(f"The test host was not added: {said.body}")
    until(
        lambda: product.call("GET", "guests/?limit=1").body["count"] >= GUESTS,
        seconds=60,
    )


def _milliseconds(browser: Browser) -> list[float]:
    taken = []
    for _ in range(RUNS):
        begun = time.perf_counter()
        browser.get("/guests/")
        taken.append((time.perf_counter() - begun) * 1000)
    return taken


def _with_hung_host(lab: Lab, browser: Browser) -> list[float]:
    lab.hosts[0].pause_libvirtd()
    try:
        time.sleep(2)  # the first ticks fall into it
        return _milliseconds(browser)
    finally:
        lab.hosts[0].resume_libvirtd()


def _pages_a_second(product: Product) -> float:
    browsers = [Browser(product) for _ in range(CLIENTS)]
    served = [0] * CLIENTS
    ends = time.monotonic() + LOAD_S

    def ask(number: int) -> None:
        while time.monotonic() < ends:
            browsers[number].get("/guests/")
            served[number] += 1

    threads = [threading.Thread(target=ask, args=[n]) for n in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(served) / LOAD_S


def _queries(product: Product) -> Figure:
    """Most queries that any list page costs; counted inside Django."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.queries", *LISTS],
        cwd=ROOT,
        env=product.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    counts = dict(line.split() for line in done.stdout.splitlines())
    return Figure(
        "queries of any list page (most)",
        max(map(int, counts.values())),
        "queries",
        12,
        behind={page: int(count) for page, count in counts.items()},
    )
