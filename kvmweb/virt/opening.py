"""Open libvirt in this very process. What may hang belongs into `connection`."""

import errno
import functools
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import libvirt

from kvmweb.errors import HostTimeout, HostUnreachable
from kvmweb.virt import ssh, tls, uri
from kvmweb.virt.errors import UNVERIFIED, explaining
from kvmweb.virt.types import Address, Secrets, Transport

PROBE_S = 3.0
_KEEPALIVE_INTERVAL_S = 5
_KEEPALIVE_COUNT = 3  # so a dead connection is dropped after 20 s


@contextmanager
def open_libvirt(
    address: Address, *, events: bool = True
) -> Iterator[libvirt.virConnect]:
    """An open, read-write connection, closed after the block.

    Keepalive runs on it, so a host that is gone is noticed within 20 s; a host that
    hangs may still block here and in any call for ever. Without `events` there is none,
    but a call is cheaper: where the loop runs, libvirt wakes it twice for each. That
    holds for connections that were opened before the first with events. Raises Invalid,
    HostUnreachable, HostError.
    """
    libvirt.registerErrorHandler(_be_silent, None)
    if events:
        start_event_loop()
    with ExitStack() as stack:
        tunnel = None
        if address.transport == Transport.SSH:
            far = address.socket_path or uri.LIBVIRT_SOCKET
            tunnel = stack.enter_context(ssh.forward(address, far))
        elif uri.is_remote(address):
            uri.validate(address)
            probe(address.host, uri.port_of(address))
        connection = _opened(address, tunnel)
        stack.callback(_close, connection)
        if events and address.transport != Transport.TEST:  # which has no wire
            with explaining(f"watch over the wire to {uri.label_of(address)}"):
                connection.setKeepAlive(_KEEPALIVE_INTERVAL_S, _KEEPALIVE_COUNT)
        yield connection


def probe(host: str, port: int) -> str:
    """See within 3 s whether a TCP port answers; the IP address that did.

    libvirt itself would wait for minutes for a host that drops packets.
    Raises HostUnreachable.
    """
    try:
        with socket.create_connection((host, port), PROBE_S) as probed:
            return str(probed.getpeername()[0])
    except OSError as error:
        reason, hint = _why(error, port)
        detail = f"Could not connect to {host}, port {port}: {reason}"
        raise HostUnreachable(detail, hint=hint) from error


def _why(error: OSError, port: int) -> tuple[str, str]:
    if isinstance(error, socket.gaierror):
        return (
            "nobody knows a host of this name.",
            "Check the spelling, and the DNS of the machine that runs this product.",
        )
    if error.errno == errno.ECONNREFUSED:
        return "the connection was refused.", f"Does anything listen on port {port}?"
    if isinstance(error, TimeoutError):
        return (
            f"no answer within {PROBE_S:g} s.",
            "Is the host on, and does a firewall drop the port?",
        )
    return (
        "the network does not lead there.",
        "Has this machine a route to the host, and is it on?",
    )


@functools.cache
def start_event_loop() -> None:
    """Run libvirt's event loop in a thread of this process; once, before any opening.

    Where it does not run, setKeepAlive succeeds and does nothing.
    """
    libvirt.virEventRegisterDefaultImpl()
    threading.Thread(target=_run_events, name="libvirt-events", daemon=True).start()


def _run_events() -> None:
    while True:
        libvirt.virEventRunDefaultImpl()


def _be_silent(_context: object, _error: object) -> None:
    """Instead of libvirt's habit of printing every error."""


def _opened(address: Address, tunnel: ssh.Tunnel | None) -> libvirt.virConnect:
    """The connection, or the best reason there is for having none."""
    label = uri.label_of(address)
    try:
        with explaining(f"connect to {label}"):
            return _open(address, tunnel.socket if tunnel else None)
    except HostTimeout as error:  # nothing was asked yet, so nothing is unknown
        broken = f"Could not connect to {label}: the host hung up at once."
        hint = "Does libvirtd run there, and does it expect this transport?"
        fault = tunnel.fault() if tunnel else None
        raise fault or HostUnreachable(broken, hint=hint) from error
    except HostUnreachable as error:
        doubt = tls.doubt(address) if UNVERIFIED in error.detail else None
        if doubt:
            raise doubt from error
        raise


def _open(address: Address, socket_path: Path | None) -> libvirt.virConnect:
    with _pki(address) as pki:
        where = uri.uri_of(address, socket=socket_path, pki=pki)
        return libvirt.openAuth(where, _credentials(address), 0)


def _close(connection: libvirt.virConnect) -> None:
    try:
        connection.close()
    except libvirt.libvirtError:
        return  # it was broken; the memory is libvirt's own


@contextmanager
def _pki(address: Address) -> Iterator[Path | None]:
    """The certificates as files, for as long as libvirt reads them; None for its own."""
    secrets = address.secrets
    if address.transport != Transport.TLS or not secrets.tls_ca:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="p") as directory:
        for name, text in _files_of(secrets).items():
            if text:
                path = Path(directory, name)
                path.touch(mode=0o600)
                path.write_text(text)
        yield Path(directory)


def _files_of(secrets: Secrets) -> dict[str, str]:
    return {
        "cacert.pem": secrets.tls_ca,
        "clientcert.pem": secrets.tls_certificate,
        "clientkey.pem": secrets.tls_key,
    }


def _credentials(address: Address) -> list[object]:
    """How libvirt asks for a user and a password, and gets them without a person."""
    answers = {
        libvirt.VIR_CRED_AUTHNAME: address.username,
        libvirt.VIR_CRED_USERNAME: address.username,
        libvirt.VIR_CRED_PASSPHRASE: address.secrets.password,
        libvirt.VIR_CRED_NOECHOPROMPT: address.secrets.password,
    }

    def answer(asked: list[list[object]], _data: object) -> int:
        for credential in asked:
            credential[4] = answers[int(str(credential[0]))]
        return 0

    return [list(answers), answer, None]
