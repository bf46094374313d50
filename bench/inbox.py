"""How long the server takes for the inbox of an approver for whom much waits."""

import statistics
import subprocess
import sys
from pathlib import Path

from bench.create import HOSTS, add_paper, milliseconds
from bench.figures import Figure, spread
from bench.pages import Browser
from deploy.places import ROOT
from deploy.product import Product

REQUESTS, PROJECTS = 500, 100
LIMIT_MS, QUERIES = 100, 24


def measure(place: Path) -> list[Figure]:
    """The inbox with its requests, what is used and left, and whether each would fit."""
    with Product(place / "var") as product:
        add_paper(place, product)
        _run(product, "bench.inbox_rows", str(PROJECTS), str(REQUESTS))
        taken = milliseconds(Browser(product), "/requests/")
        counted = _run(product, "bench.queries", "/requests/").split()[1]
        return [
            Figure(
                f"inbox with {REQUESTS} pending requests of {PROJECTS} projects, "
                f"{HOSTS} hosts, server time (median)",
                statistics.median(taken),
                "ms",
                LIMIT_MS,
                behind=spread("ms", taken),
            ),
            Figure("queries of the same page", float(counted), "queries", QUERIES),
        ]


def _run(product: Product, module: str, *words: str) -> str:
    """What this module says, inside Django on the product's database."""
    done = subprocess.run(
        [sys.executable, "-m", module, *words],
        cwd=ROOT,
        env=product.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout
