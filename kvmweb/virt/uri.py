"""A libvirt URI from checked parts. There is no other way to make one.

libvirt takes `?command=` and `?netcat=` in a URI and runs them on this machine, so
nothing that was typed may reach one before it was matched whole against a narrow set.
"""

import ipaddress
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from kvmweb.errors import Invalid
from kvmweb.virt.types import Address, Secrets, Transport

PORTS = {Transport.TCP: 16509, Transport.TLS: 16514, Transport.SSH: 22}
LIBVIRT_SOCKET = "/run/libvirt/libvirt-sock"
TEST_DEFAULT = "/default"

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.@-]{0,63}")
_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9_.@+-]+)+")
_HOST_KEY = re.compile(
    r"(?:ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)) [A-Za-z0-9+/]{20,}={0,2}"
    r"(?: [^\r\n]*)?"
)
_SOCKET_MAX = 107  # bytes of sockaddr_un.sun_path without its end

_Fault = tuple[str, str]  # the field, the sentence


def uri_of(
    address: Address, *, socket: Path | None = None, pki: Path | None = None
) -> str:
    """The libvirt URI of this address.

    For ssh, `socket` is the near end of our own tunnel. `pki` is the directory with the
    certificates for tls; without it libvirt takes the ones of this machine.
    Raises Invalid like `validate`.
    """
    validate(address)
    match address.transport:
        case Transport.LOCAL:
            return "qemu:///system"
        case Transport.TEST:
            return f"test://{address.socket_path or TEST_DEFAULT}"
        case Transport.UNIX | Transport.SSH:
            path = socket or Path(address.socket_path)
            return f"qemu+unix:///system?socket={quote(str(path))}"
        case Transport.TCP | Transport.TLS:
            query = f"?pkipath={quote(str(pki))}" if pki else ""
            return f"qemu+{address.transport}://{_authority(address)}/system{query}"


def port_of(address: Address) -> int:
    """The TCP port of this address: its own, or the usual one of its transport."""
    return address.port or PORTS[address.transport]


def label_of(address: Address) -> str:
    """What sentences call this address: its host, or "this machine"."""
    match address.transport:
        case Transport.LOCAL:
            return "this machine"
        case Transport.UNIX:
            return f"the socket {address.socket_path}"
        case Transport.TEST:
            return "libvirt's test driver"
        case _:
            return address.host


def is_remote(address: Address) -> bool:
    """Whether a network lies between us and the host."""
    return address.transport in PORTS


def validate(address: Address) -> None:
    """Check every part. Raises Invalid.

    Its `errors` are keyed as the API names the fields: address (for `host`), port,
    username, socket_path, password, ssh_private_key, ssh_host_key, tls_ca,
    tls_certificate, tls_key.
    """
    errors: dict[str, list[str]] = {}
    for field, sentence in (
        *_faults_of_place(address),
        *_faults_of_paths(address),
        *_faults_of_secrets(address.transport, address.secrets),
    ):
        errors.setdefault(field, []).append(sentence)
    if errors:
        sentences = " ".join(text for texts in errors.values() for text in texts)
        raise Invalid(sentences, errors=errors)


def _faults_of_place(address: Address) -> Iterator[_Fault]:
    remote = is_remote(address)
    if remote and not _is_host(address.host):
        yield "address", "Give a host name or an IP address, nothing else."
    if not remote and address.host:
        yield "address", f"The transport {address.transport} takes no address."
    if address.port is not None:
        if not remote:
            yield "port", f"The transport {address.transport} takes no port."
        elif not 1 <= address.port <= 65535:
            yield "port", "A port is a number from 1 to 65535."
    if address.username and not _USER.fullmatch(address.username):
        yield "username", "A user name has letters, digits, and _ . @ - only."
    if address.transport == Transport.SSH and not address.username:
        yield "username", "Give the user to sign in as by ssh."


def _faults_of_paths(address: Address) -> Iterator[_Fault]:
    path = address.socket_path
    if address.transport in {Transport.LOCAL, Transport.TCP, Transport.TLS}:
        if path:
            yield "socket_path", f"The transport {address.transport} takes no path."
        return
    if not path:
        if address.transport == Transport.UNIX:
            yield "socket_path", "Give the path of libvirt's socket."
        return
    if not _PATH.fullmatch(path) or len(path) > _SOCKET_MAX:
        sentence = (
            "Give an absolute path of letters, digits and _ . @ + - that has at most "
            f"{_SOCKET_MAX} characters."
        )
        yield "socket_path", sentence


def _faults_of_secrets(transport: Transport, secrets: Secrets) -> Iterator[_Fault]:
    if any(character in secrets.password for character in "\0\r\n"):
        yield "password", "A password is one line."
    if secrets.ssh_host_key and not _HOST_KEY.fullmatch(secrets.ssh_host_key.strip()):
        yield "ssh_host_key", 'A host key looks like "ssh-ed25519 AAAA…".'
    if secrets.ssh_private_key and not _is_pem(secrets.ssh_private_key, "PRIVATE KEY"):
        yield "ssh_private_key", "This is not a private key in OpenSSH or PEM form."
    if secrets.tls_ca and not _is_pem(secrets.tls_ca, "CERTIFICATE"):
        yield "tls_ca", "This is not a certificate in PEM form."
    if secrets.tls_certificate and not _is_pem(secrets.tls_certificate, "CERTIFICATE"):
        yield "tls_certificate", "This is not a certificate in PEM form."
    if secrets.tls_key and not _is_pem(secrets.tls_key, "PRIVATE KEY"):
        yield "tls_key", "This is not a private key in PEM form."
    if transport == Transport.TLS:
        yield from _faults_of_pairs(secrets)


def _faults_of_pairs(secrets: Secrets) -> Iterator[_Fault]:
    if bool(secrets.tls_certificate) != bool(secrets.tls_key):
        lone = "tls_key" if secrets.tls_certificate else "tls_certificate"
        yield lone, "A client certificate and its key belong together: give both."
    if secrets.tls_certificate and not secrets.tls_ca:
        yield "tls_ca", "Give the certificate of the authority that signed the host's."


def _is_host(text: str) -> bool:
    if _NAME.fullmatch(text):
        return True
    if "%" in text:  # a zone may hold anything
        return False
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_pem(text: str, kind: str) -> bool:
    return re.search(rf"-----BEGIN [A-Z ]*{kind}-----", text) is not None


def _authority(address: Address) -> str:
    host = f"[{address.host}]" if ":" in address.host else address.host
    return f"{host}:{port_of(address)}"
