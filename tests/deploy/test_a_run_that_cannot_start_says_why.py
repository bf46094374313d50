"""`make run` ends with one sentence that says what to do."""

import fcntl
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

from deploy.places import ROOT


def run(folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "KVMWEB_DATA_DIR": str(folder),
        "KVMWEB_LOCAL_HOST": "off",
        **settings,
    }
    environment.pop("KVMWEB_REDIS_URL", None)
    return subprocess.run(
        [sys.executable, "-m", "deploy.supervisor"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_second_run_says_where_the_first_is(tmp_path: Path) -> None:
    url = "http://127.0.0.1:8123/"
    with (tmp_path / "supervisor.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(json.dumps({"pid": 4242, "url": url}))
        lock.flush()
        refused = run(tmp_path)
    assert refused.returncode == 1
    assert refused.stderr == (
        f"kvmweb already runs with the data in {tmp_path}: it is at {url} (process 4242).\n"
    )


def test_a_port_in_use_names_the_next_one(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = run(tmp_path, KVMWEB_PORT=str(port))
    assert refused.returncode == 1
    assert refused.stderr == (
        f"Port {port} of 127.0.0.1 cannot be had (Address already in use): "
        f"end what uses it, or try 'KVMWEB_PORT={port + 1} make run'.\n"
    )


def test_a_port_that_is_no_number_is_refused(tmp_path: Path) -> None:
    refused = run(tmp_path, KVMWEB_PORT="http")
    assert refused.returncode == 1
    assert refused.stderr == "KVMWEB_PORT is 'http': it must be a number up to 65535.\n"


def test_a_folder_too_deep_for_sockets_is_refused(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)
    refused = run(deep)
    assert refused.returncode == 1
    assert f"KVMWEB_DATA_DIR {deep} is too long a path" in refused.stderr
