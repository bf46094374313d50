"""`make run` as shells start it: in the foreground, and in the background with `&`."""

import os
import signal
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.places import ROOT
from deploy.product import free_port
from tests.waiting import until

Run = subprocess.Popen[bytes]
_UP_S = 90
_END_S = 45  # five are promised to a person; a busy machine gets more


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Only the first of them is a first run."""
    return tmp_path_factory.mktemp("run") / "var"


@pytest.fixture
def run(tmp_path: Path, data_dir: Path) -> Iterator[Callable[..., tuple[Run, int]]]:
    """Starts `make` as a shell would, with SIGINT ignored or not."""
    started: list[Run] = []
    makefile = tmp_path / "Makefile"
    python = ROOT / ".venv/bin/python"
    makefile.write_text(f"run:\n\t@cd {ROOT} && exec {python} -m deploy.supervisor\n")

    def start(*, deaf: bool) -> tuple[Run, int]:
        port = free_port()
        deafness = "trap '' INT; " if deaf else ""
        child = subprocess.Popen(
            ["sh", "-c", f"{deafness}exec make -f {makefile} run"],
            env=os.environ
            | {
                "KVMWEB_DATA_DIR": str(data_dir),
                "KVMWEB_PORT": str(port),
                "KVMWEB_LOCAL_HOST": "off",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        started.append(child)
        return child, port

    # Whoever runs tests in the background of a shell left us deaf, and so our children.
    heard = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield start
    signal.signal(signal.SIGINT, heard)
    for child in started:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGTERM)
            child.wait(_END_S)


def _healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2):
            return True
    except OSError:
        return False


def test_it_stays_up_in_the_background(run: Callable[..., tuple[Run, int]]) -> None:
    child, port = run(deaf=True)
    until(lambda: child.poll() is not None or _healthy(port), _UP_S)
    assert child.poll() is None
    os.killpg(child.pid, signal.SIGTERM)
    child.wait(_END_S)


def test_ctrl_c_ends_it(run: Callable[..., tuple[Run, int]]) -> None:
    child, port = run(deaf=False)
    until(lambda: _healthy(port), _UP_S)
    os.killpg(child.pid, signal.SIGINT)
    child.wait(_END_S)
    assert not _healthy(port)


def test_a_signal_to_make_alone_ends_it(run: Callable[..., tuple[Run, int]]) -> None:
    child, port = run(deaf=False)
    until(lambda: _healthy(port), _UP_S)
    os.kill(child.pid, signal.SIGINT)
    child.wait(_END_S)
    until(lambda: not _healthy(port), _END_S)
