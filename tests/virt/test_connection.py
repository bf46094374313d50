"""Everything asked of a host ends by our deadline, and leaves nothing behind."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kvmweb.errors import HostTimeout, HostUnreachable, NotFound
from kvmweb.virt import connection
from kvmweb.virt.types import Address, Secrets, Transport
from tests.virt import probes
from tests.waiting import until

TEST = Address(Transport.TEST)
SOON_S = 5.0  # deadlines here are of 1 s and less; the rest is for a busy machine


@pytest.fixture(autouse=True)
def _from_cold() -> Iterator[None]:
    yield
    connection.close_all()


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of something that accepts and never answers, as a hung libvirtd does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def alive(pid: int) -> bool:
    """Whether it runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_it_answers() -> None:
    with connection.connect(TEST) as host:
        assert host.run(probes.names) == ["test"]


def test_the_next_one_finds_it_warm() -> None:
    with connection.connect(TEST) as host:
        first = host.run(probes.pid)
    with connection.connect(TEST) as host:
        assert host.run(probes.pid) == first


def test_a_check_connects_anew() -> None:
    with connection.connect(TEST) as host:
        first = host.run(probes.pid)
    with connection.connect(TEST, fresh=True) as host:
        assert host.run(probes.pid) != first


def test_another_address_gets_another_child() -> None:
    changed = Address(Transport.TEST, secrets=Secrets(password="new"))
    with connection.connect(TEST) as host:
        first = host.run(probes.pid)
    with connection.connect(changed) as host:
        assert host.run(probes.pid) != first


def test_a_call_that_hangs_ends_by_its_verbs_deadline_and_its_child_is_killed() -> None:
    with connection.connect(TEST) as host:
        pid = host.run(probes.pid)
        begun = time.monotonic()
        with pytest.raises(HostTimeout, match=r"within 0\.3 s .* not known yet"):
            host.run(probes.hang)
        assert time.monotonic() - begun < SOON_S
    until(lambda: not alive(pid), 5)


def test_a_caller_may_know_better() -> None:
    with (
        connection.connect(TEST) as host,
        pytest.raises(HostTimeout, match=r"within 0\.1 s"),
    ):
        host.within(0.1).run(probes.nap, 5)
    with connection.connect(TEST) as host:
        assert host.within(5).run(probes.nap, 0.5) == 0.5


def test_a_hung_libvirtd_does_not_hold_up_opening(silent: int) -> None:
    address = Address(Transport.TCP, host="127.0.0.1", port=silent)
    begun = time.monotonic()
    with (
        pytest.raises(HostUnreachable, match="did not answer within 1 s") as caught,
        connection.connect(address, open_deadline_s=1),
    ):
        pass
    assert type(caught.value) is HostUnreachable  # nothing was done: that is known
    assert time.monotonic() - begun < SOON_S


def test_one_attempt_at_a_time_and_all_waiters_end(silent: int) -> None:
    address = Address(Transport.TCP, host="127.0.0.1", port=silent)

    def attempt(_: int) -> float:
        begun = time.monotonic()
        with (
            pytest.raises(HostUnreachable),
            connection.connect(address, open_deadline_s=1),
        ):
            pass
        return time.monotonic() - begun

    with ThreadPoolExecutor(8) as threads:
        assert max(threads.map(attempt, range(8))) < SOON_S


def test_nobody_there_is_told_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    address = Address(Transport.TCP, host="127.0.0.1", port=port)
    with (
        pytest.raises(HostUnreachable, match="refused") as caught,
        connection.connect(address),
    ):
        pass
    assert caught.value.hint


def test_a_second_child_works_while_the_first_is_stuck() -> None:
    stuck = threading.Event()

    def hang() -> None:
        with connection.connect(TEST) as host:
            stuck.set()
            with pytest.raises(HostTimeout):
                host.within(4).run(probes.hang)

    thread = threading.Thread(target=hang)
    thread.start()
    stuck.wait(5)
    with connection.connect(TEST) as host:
        assert host.run(probes.names) == ["test"]
    assert thread.is_alive()
    thread.join()


def test_at_most_four_at_once_for_one_address() -> None:
    inside = threading.Semaphore(0)
    leave = threading.Event()

    def stay() -> None:
        with connection.connect(TEST):
            inside.release()
            leave.wait(10)

    threads = [threading.Thread(target=stay) for _ in range(connection.MAX_PER_HOST)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert inside.acquire(timeout=5)
    with (
        pytest.raises(HostUnreachable, match="4 calls"),
        connection.connect(TEST, open_deadline_s=0.2),
    ):
        pass
    leave.set()
    for thread in threads:
        thread.join()
    with connection.connect(TEST) as host:
        assert host.run(probes.names) == ["test"]


def test_many_threads_share_it() -> None:
    def ask(_: int) -> list[str]:
        with connection.connect(TEST, open_deadline_s=20) as host:
            return host.run(probes.names)

    with ThreadPoolExecutor(16) as threads:
        assert all(names == ["test"] for names in threads.map(ask, range(64)))


def test_a_refusal_is_explained_and_keeps_the_child() -> None:
    with connection.connect(TEST) as host:
        pid = host.run(probes.pid)
        with pytest.raises(NotFound, match="Could not do “ask for nobody”"):
            host.run(probes.ask_for_nobody)
    with connection.connect(TEST) as host:
        assert host.run(probes.pid) == pid


def test_a_child_that_dies_leaves_the_outcome_unknown() -> None:
    with (
        connection.connect(TEST) as host,
        pytest.raises(HostTimeout, match=r"ended in the middle .* not known yet"),
    ):
        host.run(probes.die)
    with connection.connect(TEST) as host:
        assert host.run(probes.names) == ["test"]


def test_a_child_that_died_in_its_rest_is_replaced() -> None:
    with connection.connect(TEST) as host:
        pid = host.run(probes.pid)
    os.kill(pid, signal.SIGKILL)
    with connection.connect(TEST) as host:
        assert host.run(probes.names) == ["test"]


def test_the_server_is_replaced_when_it_died() -> None:
    with connection.connect(TEST) as host:
        child = host.run(probes.pid)
    server = int(Path(f"/proc/{child}/stat").read_text().split()[3])
    os.kill(server, signal.SIGKILL)
    until(lambda: not alive(child), 5)
    with connection.connect(TEST) as host:
        assert host.run(probes.names) == ["test"]


def test_idle_children_leave_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    with connection.connect(TEST) as host:
        pid = host.run(probes.pid)
    place = connection._place(TEST)
    (child,) = place._idle
    child.channel.send(connection._Rest(0.05))
    until(lambda: child.channel.poll(0), 5)
    place.sweep()
    assert not place._idle
    until(lambda: not alive(pid), 5)


def test_nothing_is_left_behind() -> None:
    with connection.connect(TEST) as host:
        host.run(probes.names)
    connection.close_all()
    before = descriptors()
    pids = []
    for _ in range(20):
        with connection.connect(TEST) as host:
            pids.append(host.run(probes.pid))
            with pytest.raises(HostTimeout):
                host.within(0.01).run(probes.hang)
    connection.close_all()
    assert len(set(pids)) == 20
    until(lambda: not any(map(alive, pids)), 5)
    assert descriptors() == before


PARENT = """
import os, sys
from kvmweb.virt import connection
from kvmweb.virt.types import Address, Transport
from tests.virt import probes
with connection.connect(Address(Transport.TEST)) as host:
    print(host.run(probes.pid), flush=True)
    host.within(600).run(probes.hang)
"""


def test_children_die_with_us_even_when_stuck() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        home = Path(f"/proc/{child}/environ").read_text().split("HOME=")[1]
        files = Path(home.split("\0")[0])
        assert files.is_dir()
        parent.kill()
    until(lambda: not alive(child), 5)
    until(lambda: not files.exists(), 5)


def test_children_know_no_django() -> None:
    with connection.connect(TEST) as host:
        assert host.run(probes.modules, "django") == []
        assert host.run(probes.modules, "celery") == []


def test_secrets_are_in_no_argument_and_no_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KVMWEB_SECRET", "hunter2")
    address = Address(Transport.TEST, secrets=Secrets(password="hunter2"))
    with connection.connect(address) as host:
        assert "hunter2" not in host.run(probes.environment)


def test_a_child_of_its_own_streams_and_is_killed() -> None:
    child = connection.spawn(probes.count, TEST, 3)
    received = [child.channel.recv() for _ in range(3)]
    assert received == [(Transport.TEST, number) for number in range(3)]
    assert child.alive
    assert child.fileno() > 0
    child.kill()
    assert not child.alive
    assert not alive(child.pid)
    child.kill()
