"""How one host reaches another for a move: addresses, as they were registered."""

from hosts.models import Host
from kvmweb.errors import Conflict
from kvmweb.virt.types import Transport

_REACHED = frozenset({Transport.TCP, Transport.TLS})  # by a URI, from another host


def migrate_uri(target: Host) -> str:
    """Where memory is sent. Raises Conflict when nobody knows."""
    address = target.migration_address or target.address
    if not address:
        raise Conflict(
            f"{target.name} has no address that other hosts can reach.",
            hint="Give it a migration address on its page.",
        )
    return f"tcp://{_bracketed(address)}"


def by_network(target: Host) -> bool:
    """Whether its consoles and its libvirt are opened through the network."""
    return target.transport in _REACHED


def target_uri(target: Host) -> str:
    """Libvirt of the target, as a source may reach it; "" when it cannot.

    Only by tls and tcp as registered: nothing is sent unencrypted to a host that was not
    registered so, and no host is asked to sign in to another by ssh.
    """
    if not by_network(target) or target.username:
        return ""
    address = target.migration_address or target.address
    port = f":{target.port}" if target.port else ""
    return f"qemu+{target.transport}://{_bracketed(address)}{port}/system"


def encrypted(source: Host, target: Host) -> bool:
    """Whether both were set up with certificates."""
    return {source.transport, target.transport} == {Transport.TLS.value}


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
