"""Where things lie: the project's root and the data folder."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = ROOT / ".venv/bin/python"


def data_dir() -> Path:
    """KVMWEB_DATA_DIR, absolute; made when it is not there, for its owner's eyes only."""
    path = Path(os.environ.get("KVMWEB_DATA_DIR") or ROOT / "var").absolute()
    if not path.exists():
        path.mkdir(parents=True, mode=0o700)
    return path


def log_dir() -> Path:
    """Where logs are kept, below the data folder."""
    path = data_dir() / "log"
    path.mkdir(exist_ok=True)
    return path
