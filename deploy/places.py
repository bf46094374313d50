"""Where things lie: the project's root and the data folder."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def data_dir() -> Path:
    """KVMWEB_DATA_DIR, absolute; made when it is not there yet, for its owner's eyes only."""
    path = Path(os.environ.get("KVMWEB_DATA_DIR") or ROOT / "var").absolute()
    if not path.exists():
        path.mkdir(parents=True, mode=0o700)
    return path
