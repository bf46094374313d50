"""What a person can ask of networks. Nothing here reaches a host or waits."""

from dataclasses import asdict
from typing import Any
from uuid import uuid4

from django.db import transaction

from hosts.access import need_up
from hosts.models import Host, Network
from hosts.networks import queries
from hosts.networks.users import users_of
from hosts.networks.wishes import MODES, Wish, lease, planned
from kvmweb.accounts.models import User
from kvmweb.errors import Conflict, Invalid
from kvmweb.operations.models import Operation
from kvmweb.operations.services import submit
from kvmweb.virt.netplan import DhcpRange


def create(
    host: Host, wish: Wish, *, autostart: bool = True, by: User, address: str = ""
) -> Operation:
    """Make a network on this host and bring it up; the result names its row.

    Raises Invalid for each field, Conflict when the name is taken or the host is away.
    """
    need_up(host)
    with transaction.atomic():
        list(Host.objects.select_for_update().filter(pk=host.pk))  # one after another
        ground = queries.ground(host)
        if wish.name in {each.name for each in ground.networks}:
            message = f"There is a network named {wish.name} on {host.name} already."
            raise Conflict(message, field="name")
        plan = planned(wish, ground)
        params = {"uuid": str(uuid4()), "plan": asdict(plan), "autostart": autostart}
        return _submit("network.create", host, by, address, params)


def change(
    network: Network,
    said: dict[str, Any],
    *,
    by: User,
    address: str = "",
) -> Operation:
    """Change what was said (fields of Wish, and autostart) of a network.

    What cannot be done to a network that is up waits for its next start, and the
    result says so. Raises Invalid, Conflict.
    """
    need_up(network.host)
    if not said:
        raise Invalid("Say what is to change.")
    autostart = said.pop("autostart", None)
    params: dict[str, Any] = _about(network) | {"autostart": autostart}
    if said:
        if not network.persistent:
            raise Conflict(f"{network.name} is transient: it cannot be changed.")
        params["plan"] = asdict(_changed(network, said))
    return _submit("network.change", network.host, by, address, params)


def delete(network: Network, *, by: User, address: str = "") -> Operation:
    """Take it down and have its host forget it.

    Raises Conflict naming the guests that use it.
    """
    need_up(network.host)
    if reason := why_not_delete(network):
        raise Conflict(reason, hint="Give them another network first.")
    return _submit("network.delete", network.host, by, address, _about(network))


def start(network: Network, *, by: User, address: str = "") -> Operation:
    """Bring it up. Raises Conflict when it is up."""
    need_up(network.host)
    if network.active:
        raise Conflict(f"{network.name} is up already.")
    return _submit("network.start", network.host, by, address, _about(network))


def stop(
    network: Network, *, force: bool = False, by: User, address: str = ""
) -> Operation:
    """Take it down; running guests on it are asked about unless `force`.

    Raises Conflict when it is down.
    """
    need_up(network.host)
    if not network.active:
        raise Conflict(f"{network.name} is down already.")
    params = _about(network) | {"force": force}
    return _submit("network.stop", network.host, by, address, params)


def fix_lease(
    network: Network, mac: str, ip: str, name: str, *, by: User, address: str = ""
) -> Operation:
    """Give one network card always the same address. Raises Invalid, Conflict."""
    need_up(network.host)
    wanted = lease(mac, ip, name, cidr=network.cidr)
    if not network.dhcp:
        raise Conflict(
            f"{network.name} gives out no addresses: turn its DHCP on first."
        )
    for other in network.fixed:
        if other["address"] == wanted.address and other["mac"] != wanted.mac:
            sentence = f"{wanted.address} is fixed for {other['mac']} already."
            raise Invalid(sentence, errors={"address": [sentence]})
    if wanted.address == network.gateway:
        sentence = f"{wanted.address} is the host's own address."
        raise Invalid(sentence, errors={"address": [sentence]})
    params = _about(network) | {"lease": asdict(wanted)}
    return _submit("network.fix-lease", network.host, by, address, params)


def free_lease(network: Network, mac: str, *, by: User, address: str = "") -> Operation:
    """Let a network card have any address again. Raises Conflict when it may already."""
    need_up(network.host)
    mac = mac.strip().lower()
    if mac not in {each["mac"] for each in network.fixed}:
        raise Conflict(f"{network.name} has no fixed address for {mac[:64]}.")
    params = _about(network) | {"mac": mac}
    return _submit("network.free-lease", network.host, by, address, params)


def why_not_delete(network: Network) -> str:
    """Why it cannot be deleted now, as a sentence; "" when it can."""
    names = users_of(network)
    if not names:
        return ""
    left = len(names) - 5
    more = f" and {left} other{'s' * (left > 1)}" if left > 0 else ""
    return f"The network {network.name} is used by {', '.join(names[:5])}{more}."


def wish_of(network: Network) -> Wish:
    """The network as a person would have wished it."""
    first = next(iter(network.ranges), None)
    own = network.cidr.partition("/")[2]
    return Wish(
        name=network.name,
        mode=network.mode,
        bridge=network.bridge,
        cidr=f"{network.gateway}/{own}" if network.gateway and own else network.cidr,
        dhcp=DhcpRange(first["start"], first["end"]) if first else False,
        vlan=network.vlan,
    )


def _changed(network: Network, said: dict[str, Any]) -> Any:
    """The plan of the network with what was said. Raises Invalid, Conflict."""
    if network.mode not in MODES or (network.mode == "bridge" and not network.bridge):
        raise Conflict(
            f"{network.name} is of a kind ({network.mode}) that is not made here.",
            hint="Only whether it comes up with its host can be changed; else use virsh.",
        )
    before = wish_of(network)
    values = {name: getattr(before, name) for name in Wish.__dataclass_fields__}
    if "cidr" in said and "dhcp" not in said and said["cidr"] != before.cidr:
        values["dhcp"] = bool(network.dhcp)
    wish = Wish(**{**values, **said, "name": network.name})
    if (wish.mode == "bridge") != (network.mode == "bridge"):
        sentence = "A network on a bridge of its host stays one; make another instead."
        raise Invalid(sentence, errors={"mode": [sentence]})
    plan = planned(wish, queries.ground(network.host, network))
    for each in network.fixed:
        if plan.address:
            lease(each["mac"], each["address"], "", cidr=plan.address)
    return plan


def _about(network: Network) -> dict[str, Any]:
    return {"uuid": str(network.uuid), "name": network.name}


def _submit(
    kind: str, host: Host, by: User, address: str, params: dict[str, Any]
) -> Operation:
    return submit(
        kind,
        by=by,
        host=host.pk,
        host_name=host.name,
        params=params,
        address=address,
    )
