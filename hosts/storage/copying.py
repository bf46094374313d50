"""A volume's content from host to host, streamed: nothing of it lies on our disk."""

from collections.abc import Callable

from hosts.models import Host
from hosts.services import address_of
from hosts.storage import passing
from kvmweb.errors import HostError
from kvmweb.operations.run import Run
from kvmweb.virt import connection, transfer
from kvmweb.virt.transfer import Download, Upload

_REASON_S = 1.0


def copy(
    run: Run,
    source: Host,
    source_path: str,
    target: Host,
    target_path: str,
    *,
    progress: Callable[[int], None] = lambda _bytes: None,
) -> None:
    """Write the content of one volume over that of another, byte by byte.

    Both are there; the caller marked the target as building. `progress` hears the
    bytes that have passed. Raises HostError, and Cancelled when somebody asked.
    """
    socket = passing.second_socket_of(run.operation)
    socket.parent.mkdir(mode=0o700, exist_ok=True)
    upload = Upload(target_path, str(socket), format="", most_bytes=None)
    taker = connection.spawn(transfer.receive, address_of(target), upload)
    with passing.listening(run, taker, socket):
        download = Download(source_path, str(socket))
        giver = connection.spawn(transfer.push, address_of(source), download)
        try:
            progress(passing.carried(run, giver, progress))
            passing.carried(run, taker)
        except HostError:
            if taker.channel.poll(_REASON_S):  # the end that broke first says why
                passing.carried(run, taker)
            raise
        finally:
            giver.kill()
