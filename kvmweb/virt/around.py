"""What is around a host's guests: what it can give them, its devices, its filters."""

from collections.abc import Callable

import libvirt

from kvmweb.virt import capabilities, filters, interfaces, nodedevs
from kvmweb.virt.abilities import HostCapabilities, Surroundings


class Around:
    """Looks at it again and again; what cannot change is asked for once."""

    def __init__(self, connection: Callable[[], libvirt.virConnect]) -> None:
        self._connection = connection
        self._capabilities: HostCapabilities | None = None
        self._pci: nodedevs.Known = {}

    def look(self) -> Surroundings:
        """How it is now. Raises HostUnreachable, HostError."""
        conn = self._connection()
        if self._capabilities is None:
            self._capabilities = capabilities.look(conn)
        return Surroundings(
            capabilities=self._capabilities,
            devices=nodedevs.look(conn, self._pci),
            filters=filters.look(conn),
            interfaces=interfaces.look(conn),
        )
