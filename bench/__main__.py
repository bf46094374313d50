"""`make bench`: measure everything and print one JSON document.

A name as an argument measures that part alone: `python -m bench pages`.
What is going on is told on stderr; stdout holds the document and nothing else.
"""

import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench import (
    clone,
    console,
    create,
    drain,
    events,
    inbox,
    migrate,
    pages,
    placement,
    predict,
    requests,
    upload,
    watcher,
)
from bench.figures import Figure, as_json

PARTS: dict[str, Callable[[Path], list[Figure]]] = {
    "events": events.measure,
    "pages": pages.measure,
    "watcher": watcher.measure,
    "console": console.measure,
    "create": create.measure,
    "upload": upload.measure,
    "clone": clone.measure,
    "migrate": migrate.measure,
    "drain": drain.measure,
    "placement": placement.measure,
    "predict": predict.measure,
    "inbox": inbox.measure,
    "requests": requests.measure,
}


def main(names: list[str]) -> int:
    """Measure the named parts, or all; 1 when a figure is missed."""
    figures: list[Figure] = []
    for name in names or PARTS:
        print(f"Measuring {name}…", file=sys.stderr)
        with tempfile.TemporaryDirectory(
            prefix=f"kb-{name}-", dir="/tmp"
        ) as place:  # a socket's path must be short
            figures += PARTS[name](Path(place))
    print(
        json.dumps(
            {
                "machine": {"cores": os.cpu_count(), "system": platform.platform()},
                "figures": [as_json(figure) for figure in figures],
            },
            indent=2,
        )
    )
    return 0 if all(figure.met for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
