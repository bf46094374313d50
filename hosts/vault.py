"""What opens a host, encrypted at rest; the key lies beside the database, not in it."""

import json
from dataclasses import asdict

from hosts.models import Host
from kvmweb import vault
from kvmweb.errors import Unavailable
from kvmweb.virt.types import Address, Secrets, Transport

_PURPOSE = "hosts.vault"


def seal(secrets: Secrets) -> str:
    """The secrets as text that only the key opens; "" when there are none."""
    given = {name: text for name, text in asdict(secrets).items() if text}
    if not given:
        return ""
    return seal_text(json.dumps(given))


def secrets_of(host: Host) -> Secrets:
    """What was sealed for this host. Raises Unavailable when the key is another one."""
    if not host.secrets:
        return Secrets()
    try:
        return Secrets(**json.loads(open_text(host.secrets)))
    except Unavailable as error:
        raise Unavailable(
            f"The secrets of {host.name} were encrypted with another key.",
            hint="Put the secrets.key they were made with back, or enter them again.",
        ) from error


def address_of(host: Host) -> Address:
    """Where the host is and what opens it. Raises Unavailable like `secrets_of`."""
    return Address(
        transport=Transport(host.transport),
        host=host.address,
        port=host.port,
        username=host.username,
        socket_path=host.socket_path,
        secrets=secrets_of(host),
    )


def seal_text(text: str) -> str:
    """A secret as text that only the key opens."""
    return vault.seal(text, _PURPOSE)


def open_text(sealed: str) -> str:
    """What `seal_text` sealed. Raises Unavailable when the key is another one."""
    return vault.opened(sealed, _PURPOSE)
