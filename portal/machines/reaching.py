"""How a machine is entered: an address and a line to type. Pure."""

import re
from ipaddress import ip_address

_PLAIN = re.compile(r"[a-z_][a-z0-9_-]{0,31}")


def best_address(addresses: list[str]) -> str:
    """The one to connect to: one that is known beyond its own link, IPv4 first."""
    fitting = []
    for word in addresses:
        try:
            parsed = ip_address(word)
        except ValueError:
            continue
        if not parsed.is_link_local and not parsed.is_loopback:
            fitting.append((parsed.version, word))
    return min(fitting, key=lambda pair: pair[0])[1] if fitting else ""


def ssh_line(address: str, login: str) -> str:
    """What to type in a terminal; "" while no address is known."""
    if not address:
        return ""
    return f"ssh {login}@{address}" if _PLAIN.fullmatch(login) else f"ssh {address}"
