"""Whether a guest has been through its first boot, asked of its agent."""

import json
from typing import Any
from uuid import UUID

import libvirt
import libvirt_qemu

from kvmweb.errors import HostError
from kvmweb.virt.connection import READ_S, verb
from kvmweb.virt.domains import domain_of

FINISHED = "/var/lib/cloud/instance/boot-finished"  # cloud-init's own mark
_AGENT_S = 5


@verb(deadline_s=READ_S)
def is_finished(conn: libvirt.virConnect, uuid: UUID) -> bool:
    """Whether cloud-init inside says so. False also when its agent does not answer."""
    with domain_of(conn, uuid, "ask the agent of {}") as domain:
        opened = _ask(domain, "guest-file-open", path=FINISHED, mode="r")
        if opened is None:
            return False
        _ask(domain, "guest-file-close", handle=opened)
        return True


def _ask(domain: libvirt.virDomain, command: str, **arguments: Any) -> Any:
    """What the agent returns; None when it will not or there is none."""
    text = json.dumps({"execute": command, "arguments": arguments})
    try:
        said = libvirt_qemu.qemuAgentCommand(domain, text, _AGENT_S, 0)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            raise
        return None
    try:
        return json.loads(said)["return"]
    except (ValueError, KeyError, TypeError) as error:
        raise HostError("The guest's agent answered with something odd.") from error
