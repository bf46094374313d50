"""A volume's content read once through its host: its first bytes and its checksum."""

from collections.abc import Callable

from hosts.models import Host
from hosts.services import address_of
from hosts.storage import passing
from kvmweb.errors import HostTimeout
from kvmweb.operations.run import Run
from kvmweb.virt import connection, digests
from kvmweb.virt.digests import Read

_LAST_S = 5.0


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
