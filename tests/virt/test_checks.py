"""A new host is tried step by step, and each step says what it saw."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kvmweb.errors import Invalid
from kvmweb.virt import connection
from kvmweb.virt.checks import check
from kvmweb.virt.types import Address, CheckStep, Secrets, Transport

STEPS = [
    "name",
    "port",
    "handshake",
    "permission",
    "version",
    "virtualisation",
    "identity",
]


@pytest.fixture(autouse=True)
def _from_cold() -> Iterator[None]:
    yield
    connection.close_all()


def failed(address: Address, name: str) -> CheckStep:
    """The step that failed; all before it went well, none after it was tried."""
    steps = list(check(address))
    assert [step.name for step in steps] == STEPS
    at = STEPS.index(name)
    assert [step.ok for step in steps] == [True] * at + [False] + [None] * (6 - at)
    return steps[at]


def certificate(tmp_path: Path, name: str, *, days: int = 30) -> tuple[str, Path]:
    """A self-signed certificate as PEM, and the file that holds it with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    end = datetime.fromtimestamp(time.time(), UTC) + timedelta(days=days)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - timedelta(days=60))
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    path = tmp_path / f"{name}.pem"
    path.write_bytes(
        pem
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return pem.decode(), path


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[object]:
    """Something that speaks TLS with the certificate in a file; its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def greet(context: ssl.SSLContext) -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(plain, server_side=True) as wrapped:
                    wrapped.recv(1)
            except OSError:
                plain.close()

    def start(path: Path) -> int:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        threads.append(threading.Thread(target=greet, args=[context]))
        threads[0].start()
        return int(listener.getsockname()[1])

    yield start
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    for thread in threads:
        thread.join(5)


def test_a_sound_host_passes_every_step() -> None:
    steps = list(check(Address(Transport.TEST)))
    assert [step.name for step in steps] == STEPS
    assert all(step.ok for step in steps)
    assert all(step.title and step.detail for step in steps)


def test_a_bad_address_is_refused_before_anything_is_tried() -> None:
    with pytest.raises(Invalid):
        list(check(Address(Transport.TCP, host="kvm1/x?command=id")))


def test_a_name_that_nobody_knows() -> None:
    step = failed(Address(Transport.TCP, host="kvm1.invalid"), "name")
    assert step.detail == "Nobody knows a host called kvm1.invalid."
    assert step.hint


def test_a_port_where_nothing_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    step = failed(Address(Transport.TCP, host="127.0.0.1", port=port), "port")
    assert "refused" in step.detail


def test_a_socket_that_is_not_there() -> None:
    step = failed(Address(Transport.UNIX, socket_path="/nowhere/sock"), "port")
    assert step.detail == "There is no socket /nowhere/sock."


def test_a_host_that_takes_the_connection_and_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        step = failed(Address(Transport.TCP, host="127.0.0.1", port=port), "handshake")
    assert "did not answer within 5 s" in step.detail


def test_a_certificate_of_a_foreign_authority(tmp_path: Path, serve) -> None:  # type: ignore[no-untyped-def]
    port = serve(certificate(tmp_path, "stranger")[1])
    trusted, _ = certificate(tmp_path, "ours")
    address = Address(
        Transport.TLS, host="127.0.0.1", port=port, secrets=Secrets(tls_ca=trusted)
    )
    step = failed(address, "handshake")
    assert "not signed by the authority given here" in step.detail
    assert "It shows a certificate for CN=stranger" in step.detail


def test_a_certificate_for_another_name(tmp_path: Path, serve) -> None:  # type: ignore[no-untyped-def]
    pem, path = certificate(tmp_path, "stranger")
    address = Address(
        Transport.TLS, host="127.0.0.1", port=serve(path), secrets=Secrets(tls_ca=pem)
    )
    step = failed(address, "handshake")
    assert "for another name" in step.detail


def test_a_certificate_that_has_expired(tmp_path: Path, serve) -> None:  # type: ignore[no-untyped-def]
    trusted, _ = certificate(tmp_path, "ours")
    _, path = certificate(tmp_path, "old", days=-1)
    address = Address(
        Transport.TLS,
        host="127.0.0.1",
        port=serve(path),
        secrets=Secrets(tls_ca=trusted),
    )
    step = failed(address, "handshake")
    assert "expired" in step.detail or "not signed" in step.detail
    assert "CN=old" in step.detail


def test_ssh_where_no_key_is_trusted_or_shown(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = Address(
            Transport.SSH,
            host="127.0.0.1",
            port=listener.getsockname()[1],
            username="root",
        )
        step = failed(address, "handshake")
    assert "no host key was shown" in step.detail
