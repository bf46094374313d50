"""The environment of all tests, named before Django reads its settings.

pytest loads this first (`-p tests.environment`). Tests own their data folder; their
Redis listens in it. KVMWEB_DATABASE_URL stays: it says on which database they run.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

FOLDER = Path(tempfile.mkdtemp(prefix="kvmweb-test-"))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)

for name in [name for name in os.environ if name.startswith("KVMWEB_")]:
    if name != "KVMWEB_DATABASE_URL":
        del os.environ[name]
os.environ["KVMWEB_DATA_DIR"] = str(FOLDER)
os.environ["KVMWEB_LOCAL_HOST"] = "off"
