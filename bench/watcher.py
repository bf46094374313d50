"""CPU time of the watcher for a tick of 100 running guests, against the bare call."""

import os
import subprocess
import sys
import time
from pathlib import Path

from bench.figures import Figure
from bench.ground import lab_and_product, until
from deploy.places import ROOT
from deploy.product import Product

GUESTS = 100
TICKS = 30
TICK_S = 2.0

_BARE = """
import resource, sys, time
import libvirt
from kvmweb.virt import stats
connection = libvirt.openReadOnly(sys.argv[1])
ticks, tick_s = int(sys.argv[2]), float(sys.argv[3])
connection.getAllDomainStats(stats.GROUPS, stats.FLAGS)
begun = resource.getrusage(resource.RUSAGE_SELF)
for _ in range(ticks):
    connection.getAllDomainStats(stats.GROUPS, stats.FLAGS)
    time.sleep(tick_s)
ended = resource.getrusage(resource.RUSAGE_SELF)
print((ended.ru_utime + ended.ru_stime - begun.ru_utime - begun.ru_stime) / ticks)
"""


def measure(place: Path) -> list[Figure]:
    """Both run side by side over the same ticks, on the same hundred guests."""
    with lab_and_product(place) as (lab, product):
        host = lab.hosts[0]
        for number in range(GUESTS):
            host.define_demo(
                f"small-{number:03}", memory_mib=16, paused=True, network=""
            )
        until(
            lambda: (
                product.call("GET", "hosts/").body["items"][0]["guests_total"] == GUESTS
            ),
            seconds=120,
        )
        time.sleep(3 * TICK_S)
        bare = subprocess.Popen(
            [sys.executable, "-c", _BARE, host.unix_uri, str(TICKS), str(TICK_S)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        watcher = _watcher_pids(product)
        before = _cpu_s(watcher)
        time.sleep(TICKS * TICK_S)
        watched_s = (_cpu_s(watcher) - before) / TICKS
        bare_s = float(bare.communicate(timeout=120)[0])
    return [
        Figure(
            f"CPU time of the watcher for a tick of {GUESTS} running guests, "
            "against a bare loop of getAllDomainStats",
            watched_s / bare_s,
            "×",
            1.5,
            behind={"watcher_ms": watched_s * 1000, "bare_ms": bare_s * 1000},
        )
    ]


def _watcher_pids(product: Product) -> list[int]:
    """The watcher, the server it forks from, and its children there."""
    found = product.pids("watcher")
    if not found:
        raise RuntimeError("No watcher runs.")
    return product.pids_below(found)


def _cpu_s(pids: list[int]) -> float:
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
