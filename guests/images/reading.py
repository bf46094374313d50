"""A volume's content read once through its host, for its checksum."""

from collections.abc import Callable

from hosts.models import Host, Pool
from hosts.services import address_of
from hosts.storage import passing
from kvmweb.errors import HostError, HostTimeout, HostUnreachable
from kvmweb.operations.run import Run
from kvmweb.virt import connection, digests, storage
from kvmweb.virt.digests import Read

_LAST_S = 5.0


def refresh(there: connection.Host, pool: Pool) -> None:
    """Have the host look again at what is in the pool, if it can now.

    It refuses while anything is being made in there.
    """
    try:
        there.run(storage.refresh_pool, pool.uuid)
    except HostUnreachable:
        raise
    except HostError:
        return


def digest(
    run: Run,
    host: Host,
    path: str,
    *,
    progress: Callable[[int], None] = lambda _bytes: None,
) -> Read:
    """The SHA-256 and the length of what lies at this path. May take long.

    `progress` hears the bytes that were read. Raises NotFound, HostError, and Cancelled
    when somebody asked.
    """
    child = connection.spawn(digests.read, address_of(host), path)
    try:
        passing.carried(run, child, progress)
        if not child.channel.poll(_LAST_S):
            raise HostTimeout(f"{path} was read, but its checksum did not come.")
        told = child.channel.recv()
    finally:
        child.kill()
    if not isinstance(told, Read):
        raise told
    return told
