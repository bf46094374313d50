"""Packet filters of a host, which its guests' network cards can be put behind."""

import libvirt

from kvmweb.virt.connection import READ_S, verb
from kvmweb.virt.errors import explain


@verb(deadline_s=READ_S)
def look(conn: libvirt.virConnect) -> tuple[str, ...]:
    """Their names, sorted; none on a host that has no such thing."""
    try:
        filters = conn.listAllNWFilters(0)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_SUPPORT:
            return ()
        raise explain(error, "list the packet filters") from error
    return tuple(sorted(str(each.name()) for each in filters))
