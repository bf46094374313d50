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
SETTLE_S = 20.0  # the first looks are over

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
    """The watcher without and with a hundred guests, beside the bare call on the same."""
    with lab_and_product(place) as (lab, product):
        host = lab.hosts[0]
        time.sleep(SETTLE_S)
        idle_s = _cpu_s_a_tick(product)
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
        time.sleep(SETTLE_S)
        bare = subprocess.Popen(
            [sys.executable, "-c", _BARE, host.unix_uri, str(TICKS), str(TICK_S)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        busy_s = _cpu_s_a_tick(product)
        bare_s = float(bare.communicate(timeout=120)[0])
    behind: dict[str, float | int | str] = {
        "watcher_ms": busy_s * 1000,
        "watcher_without_guests_ms": idle_s * 1000,
        "bare_ms": bare_s * 1000,
    }
    name = f"CPU time of the watcher between two ticks of {GUESTS} running guests"
    return [
        Figure(
            f"{name}, all it does, against a bare loop of getAllDomainStats",
            busy_s / bare_s,
            "×",
            1.5,
            behind=behind,
        ),
        Figure(
            f"{name}, less what it takes without guests, against the same",
            (busy_s - idle_s) / bare_s,
            "×",
            1.5,
            behind=behind,
        ),
    ]


def _cpu_s_a_tick(product: Product) -> float:
    watcher = _watcher_pids(product)
    before = _cpu_s(watcher)
    time.sleep(TICKS * TICK_S)
    return (_cpu_s(watcher) - before) / TICKS


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
