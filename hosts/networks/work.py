"""The slow part of what is asked of networks. Every verb looks first, so it may run twice."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from hosts.access import need_up
from hosts.models import Host, Network
from hosts.storage.appearing import until_row
from hosts.vault import address_of
from kvmweb.accounts.gate import Right, need
from kvmweb.errors import AppError, HostUnreachable, NotFound
from kvmweb.operations.models import Operation
from kvmweb.operations.registry import Recovery, work
from kvmweb.operations.run import Run
from kvmweb.virt import connection, nets
from kvmweb.virt.netplan import DhcpRange, FixedLease, NetworkPlan


def may_manage(operation: Operation) -> None:
    """Nothing, if who asked may still manage networks. Raises Forbidden."""
    if operation.requested_by:
        need(operation.requested_by, Right.MANAGE_NETWORKS)


def again(_run: Run) -> Recovery:
    """What came true already is seen there, and not done twice."""
    return Recovery.AGAIN


@work("network.create", allowed=may_manage, recover=again)
def create(run: Run) -> dict[str, Any]:
    """Define it, bring it up, and wait until it is seen."""
    plan, uuid = _plan(run), UUID(run.params["uuid"])
    host = _host(run)
    with connection.connect(address_of(host)) as there:
        there.run(nets.define, uuid, plan)
        run.progress(0.3, "bringing it up")
        try:
            there.run(nets.start, uuid)
        except HostUnreachable:
            raise  # nobody knows; the network is shown as it is
        except AppError:
            there.run(nets.delete, uuid)
            raise
        there.run(nets.set_autostart, uuid, enabled=bool(run.params["autostart"]))
    run.progress(0.8, "waiting until it is seen")
    row = until_row(
        lambda: Network.objects.filter(host=host, uuid=uuid).first(),
        say=f"{plan.name} was made on {host.name} and has not been seen there yet.",
    )
    run.say(f"The network {plan.name} is up on {host.name}.")
    return {"network": row.pk}


@work("network.change", allowed=may_manage, recover=again)
def change(run: Run) -> dict[str, Any]:
    """Write its definition, do at once what can be done at once."""
    name, uuid = run.params["name"], UUID(run.params["uuid"])
    in_force = True
    with _there(run) as there:
        if "plan" in run.params:
            in_force = there.run(nets.change, uuid, _plan(run))
        if run.params["autostart"] is not None:
            enabled = bool(run.params["autostart"])
            there.run(nets.set_autostart, uuid, enabled=enabled)
    when = "" if in_force else " That comes true when it is started next."
    run.say(f"The network {name} was changed.{when}")
    return {"in_force": in_force}


@work("network.delete", allowed=may_manage, recover=again)
def delete(run: Run) -> None:
    """Take it down and forget it, if its host still finds it unused."""
    with _there(run) as there:
        there.run(nets.delete, UUID(run.params["uuid"]))
    run.say(f"The network {run.params['name']} was deleted.")


@work("network.start", allowed=may_manage, recover=again)
def start(run: Run) -> None:
    """Bring it up."""
    with _there(run) as there:
        there.run(nets.start, UUID(run.params["uuid"]))
    run.say(f"The network {run.params['name']} is up.")


@work("network.stop", allowed=may_manage, recover=again)
def stop(run: Run) -> None:
    """Take it down."""
    force = bool(run.params["force"])
    with _there(run) as there:
        there.run(nets.stop, UUID(run.params["uuid"]), force=force)
    run.say(f"The network {run.params['name']} is down.")


@work("network.fix-lease", allowed=may_manage, recover=again)
def fix_lease(run: Run) -> None:
    """Give a network card always the same address."""
    lease = FixedLease(**run.params["lease"])
    with _there(run) as there:
        there.run(nets.fix_lease, UUID(run.params["uuid"]), lease)
    run.say(f"{lease.mac} always gets {lease.address} in {run.params['name']}.")


@work("network.free-lease", allowed=may_manage, recover=again)
def free_lease(run: Run) -> None:
    """Let a network card have any address again."""
    mac = run.params["mac"]
    with _there(run) as there:
        there.run(nets.free_lease, UUID(run.params["uuid"]), mac)
    run.say(f"{mac} gets any address in {run.params['name']} from now on.")


def _host(run: Run) -> Host:
    host = Host.objects.filter(pk__in=[run.operation.host]).first()
    if host is None:
        raise NotFound(f"{run.operation.host_name} was removed meanwhile.")
    need_up(host)
    return host


@contextmanager
def _there(run: Run) -> Iterator[connection.Host]:
    with connection.connect(address_of(_host(run))) as there:
        yield there


def _plan(run: Run) -> NetworkPlan:
    told = run.params["plan"]
    dhcp = DhcpRange(**told["dhcp"]) if told["dhcp"] else None
    return NetworkPlan(**{**told, "dhcp": dhcp})
