"""Try a host step by step and say what was seen, for whoever adds one."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

import libvirt

from kvmweb.errors import (
    AppError,
    HostError,
    HostTimeout,
    HostUnreachable,
    Unsupported,
)
from kvmweb.virt import children, connection, opening, ssh, tls, uri
from kvmweb.virt.children import Channel
from kvmweb.virt.connection import READ_S, Host, verb
from kvmweb.virt.errors import explain, explaining
from kvmweb.virt.types import Address, CheckStep, Transport
from kvmweb.virt.xml.capabilities import Capabilities

P = ParamSpec("P")
R = TypeVar("R")

OLDEST_LIBVIRT = 6_000_000  # 6.0.0
_RESOLVE_S = 5.0
_PROBE_S = 8.0  # one try of 3 s for each of a name's addresses, within reason
_SCAN_S = 6.0
_BASE_DRIVERS = ("kvm", "qemu", "test", "xen", "lxc", "bhyve", "hvf")


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a step that went well saw."""

    detail: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class _Versions:
    libvirt: int
    hypervisor: str
    hypervisor_version: int


def check(address: Address) -> Iterator[CheckStep]:
    """Each step as it ends; after a failed one the others are not tried.

    Their names: name, port, handshake, permission, version, virtualisation, identity.
    None takes longer than some ten seconds. Raises Invalid for the address itself.
    """
    uri.validate(address)
    with ExitStack() as stack:
        trial = _Trial(address, stack)
        failed = False
        for name, title, attempt in trial.steps():
            step = CheckStep(name, title, None, "Not tried.")
            if not failed:
                step = _tried(name, title, attempt)
                failed = not step.ok
            yield step


def _tried(name: str, title: str, attempt: Callable[[], _Seen]) -> CheckStep:
    try:
        seen = attempt()
    except AppError as error:
        return CheckStep(name, title, ok=False, detail=error.detail, hint=error.hint)
    return CheckStep(name, title, ok=True, detail=seen.detail, hint=seen.hint)


class _Trial:
    """One try of one address; the later steps use what the earlier ones opened."""

    def __init__(self, address: Address, stack: ExitStack) -> None:
        self._address = address
        self._stack = stack
        self._host: Host | None = None
        self._document: Capabilities | None = None

    def steps(self) -> Iterator[tuple[str, str, Callable[[], _Seen]]]:
        """Name, title, and what to do."""
        label = uri.label_of(self._address)
        place = f"Find {label}"
        if uri.is_remote(self._address):
            yield "name", f"Resolve {label}", self._name
            place = f"Reach port {uri.port_of(self._address)} of {label}"
        else:
            yield "name", f"Find {label}", self._name
        yield "port", place, self._port
        yield "handshake", _HANDSHAKES[self._address.transport], self._handshake
        yield "permission", "Be allowed to change things", self._permission
        yield "version", "Ask for versions", self._version
        yield "virtualisation", "Ask how guests run there", self._virtualisation
        yield "identity", "Ask which machine it is", self._identity

    def _name(self) -> _Seen:
        if not uri.is_remote(self._address):
            return _Seen("It needs no name.")
        host = self._address.host
        found = _within(_RESOLVE_S, f"resolving {host}", _resolve, host)
        return _Seen(
            f"{host} is {', '.join(found)}." if found != [host] else f"{host}."
        )

    def _port(self) -> _Seen:
        address = self._address
        if uri.is_remote(address):
            port = uri.port_of(address)
            who = _within(
                _PROBE_S, f"reaching port {port}", opening.probe, address.host, port
            )
            return _Seen(f"{who} answers on port {port}.")
        if address.transport == Transport.TEST:
            return _Seen("It runs within this product.")
        path = Path(address.socket_path or uri.LIBVIRT_SOCKET)
        if not path.is_socket():
            raise HostUnreachable(
                f"There is no socket {path}.", hint="Does libvirtd run there?"
            )
        return _Seen(f"The socket {path} is there.")

    def _handshake(self) -> _Seen:
        shown = ""
        match self._address.transport:
            case Transport.TLS:
                shown = self._certificate()
            case Transport.SSH:
                shown = self._host_key()
        try:
            opened = connection.connect(self._address, fresh=True)
            self._host = self._stack.enter_context(opened)
        except AppError as error:
            error.detail = f"{error.detail} {shown}".strip()
            raise
        return _Seen(
            shown or "libvirt answers.", _HINTS.get(self._address.transport, "")
        )

    def _certificate(self) -> str:
        doing = "reading the certificate"
        return _within(_PROBE_S, doing, tls.describe, self._address)

    def _host_key(self) -> str:
        """The key the host shows, as a sentence. Raises HostUnreachable: not trusted."""
        address = self._address
        shown = _within(
            _SCAN_S,
            "reading its host key",
            ssh.scan_host_key,
            address.host,
            uri.port_of(address),
        )
        sentence = f"It shows the key {shown.line.split()[0]} {shown.fingerprint}."
        if not address.secrets.ssh_host_key:
            raise HostUnreachable(
                f"No key of this host is trusted yet. {sentence}",
                hint="Compare it with the host itself, then trust it.",
            )
        return sentence

    def _permission(self) -> _Seen:
        self._connected.run(ask_for_permission)
        return _Seen("This connection may change things.")

    def _version(self) -> _Seen:
        told = self._connected.run(versions)
        if told.libvirt < OLDEST_LIBVIRT:
            raise Unsupported(
                f"libvirt {_dotted(told.libvirt)} is too old.",
                hint=f"It takes {_dotted(OLDEST_LIBVIRT)} or newer.",
            )
        hypervisor = f"{told.hypervisor} {_dotted(told.hypervisor_version)}"
        return _Seen(f"libvirt {_dotted(told.libvirt)}, {hypervisor}.")

    def _virtualisation(self) -> _Seen:
        self._document = Capabilities.parse(self._connected.run(capabilities))
        kinds = {
            each.type
            for guest in self._document.guests
            if guest.arch == self._document.arch
            for each in guest.virt_types
        } or {each.type for g in self._document.guests for each in g.virt_types}
        if not kinds:
            raise Unsupported(
                "The host can run no guests.", hint="Is QEMU installed there?"
            )
        words = " and ".join(sorted(kinds, key=_rank))
        if "kvm" in kinds:
            return _Seen(
                f"Guests run by {words}.",
                "That kvm is offered does not prove it: only a guest that boots does.",
            )
        if "qemu" in kinds:
            return _Seen(
                f"Guests run by {words}, without the help of the processor: slowly.",
                "Is virtualisation on in its firmware, and is kvm loaded?",
            )
        return _Seen(f"Guests run by {words}.")

    def _identity(self) -> _Seen:
        uuid = self._document.uuid if self._document else ""
        if not uuid:
            return _Seen("The host tells no UUID of its own.")
        return _Seen(f"Its UUID is {uuid}.")

    @property
    def _connected(self) -> Host:
        if self._host is None:
            raise HostError("The host is not connected.")
        return self._host


_HANDSHAKES = {
    Transport.LOCAL: "Open libvirt",
    Transport.UNIX: "Open libvirt",
    Transport.TEST: "Open libvirt",
    Transport.TCP: "Open libvirt and sign in",
    Transport.TLS: "Compare certificates and open libvirt",
    Transport.SSH: "Compare host keys, sign in by ssh and open libvirt",
}
_HINTS = {
    Transport.TCP: "Nothing on this connection is encrypted: use it on closed networks.",
}


@verb(deadline_s=READ_S)
def ask_for_permission(conn: libvirt.virConnect) -> None:
    """See whether this connection may change things, by a call that changes nothing.

    Translating a document needs the right to write, and an empty one gets no further
    than that. Raises HostError when it may not.
    """
    try:
        conn.domainXMLToNative("qemu-argv", "<domain/>", 0)
    except libvirt.libvirtError as error:
        reason = explain(error, "be allowed to change things")
        denied = (libvirt.VIR_ERR_OPERATION_DENIED, libvirt.VIR_ERR_ACCESS_DENIED)
        if error.get_error_code() in denied or isinstance(reason, HostUnreachable):
            raise reason from error


@verb(deadline_s=READ_S)
def versions(conn: libvirt.virConnect) -> _Versions:
    """Versions as libvirt's numbers (9001002 is 9.1.2). Raises HostError without QEMU."""
    with explaining("ask for versions"):
        return _Versions(conn.getLibVersion(), conn.getType(), conn.getVersion())


@verb(deadline_s=READ_S)
def capabilities(conn: libvirt.virConnect) -> str:
    """The document of what the host is and can do."""
    with explaining("ask what the host can do"):
        return str(conn.getCapabilities())


def _within(
    deadline_s: float,
    doing: str,
    function: Callable[P, R],
    *args: P.args,
    **kw: P.kwargs,
) -> R:
    """What the function returns, in a child: names may take minutes to resolve."""
    child = children.fork(_tell, function, args, kw)
    try:
        if not child.channel.poll(deadline_s):
            raise HostTimeout(f"No answer within {deadline_s:g} s while {doing}.")
        answer = child.channel.recv()
    except EOFError as error:
        raise HostError(f"Our own process ended while {doing}.") from error
    finally:
        child.kill()
    if isinstance(answer, AppError):
        raise answer
    result: R = answer
    return result


def _tell(
    channel: Channel,
    function: Callable[..., object],
    args: tuple[object, ...],
    kwargs: dict[str, object],
) -> None:
    try:
        channel.send(function(*args, **kwargs))
    except AppError as error:
        channel.send(error)


def _resolve(host: str) -> list[str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise HostUnreachable(
            f"Nobody knows a host called {host}.",
            hint="Check the spelling, and the DNS of the machine this product runs on.",
        ) from error
    return sorted({str(where[0]) for *_, where in found})


def _dotted(version: int) -> str:
    return f"{version // 1_000_000}.{version // 1000 % 1000}.{version % 1000}"


def _rank(kind: str) -> int:
    return _BASE_DRIVERS.index(kind) if kind in _BASE_DRIVERS else len(_BASE_DRIVERS)
