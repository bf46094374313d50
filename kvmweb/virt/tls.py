"""The certificate a host shows, in words, and why it is not believed.

libvirt says only that it could not verify it, whatever the reason, so the reason is
found by a second handshake of our own. Nothing is trusted because of this module.
"""

import contextlib
import socket
import ssl
from typing import cast

from cryptography import x509

from kvmweb.errors import HostUnreachable
from kvmweb.virt import uri
from kvmweb.virt.types import Address

_WAIT_S = 3.0
_CLOCKS = "Check the host's certificate and the clocks of both machines."

# OpenSSL's X509_V_ERR_ numbers.
_NOT_YET, _EXPIRED, _OTHER_NAME, _OTHER_IP = 9, 10, 62, 64
_REASONS = {
    _NOT_YET: ("the host's certificate is not valid yet.", _CLOCKS),
    _EXPIRED: ("the host's certificate has expired.", _CLOCKS),
    **dict.fromkeys(
        (_OTHER_NAME, _OTHER_IP),
        (
            "the host's certificate is for another name than the address given here.",
            "Use the name that is in the certificate, or issue one for this address.",
        ),
    ),
}
_FOREIGN = (
    "the host's certificate was not signed by the authority given here.",
    "Give the certificate of the authority (CA) that signed the host's.",
)


def describe(address: Address) -> str:
    """The certificate the host shows, believed or not, as a sentence.

    Raises HostUnreachable when the port does not speak TLS.
    """
    host, port = address.host, uri.port_of(address)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # to show it, not to believe it
    try:
        certificate = x509.load_der_x509_certificate(_shown(address, context))
    except (OSError, ValueError) as error:
        raise HostUnreachable(
            f"Port {port} of {host} does not speak TLS.",
            hint="Is this the port for TLS, and has libvirtd a certificate?",
        ) from error
    return (
        f"It shows a certificate for {_short(certificate.subject)}, issued by "
        f"{_short(certificate.issuer)}, valid until "
        f"{certificate.not_valid_after_utc:%Y-%m-%d}."
    )


def doubt(address: Address) -> HostUnreachable | None:
    """Why the host's certificate is not to be believed; None when we cannot say."""
    if not address.secrets.tls_ca:
        return None
    try:
        context = ssl.create_default_context(cadata=address.secrets.tls_ca)
        _shown(address, context)
    except ssl.SSLCertVerificationError as error:
        sentence, hint = _REASONS.get(error.verify_code, _FOREIGN)
        detail = f"Could not connect to {address.host}: {sentence}"
        return HostUnreachable(detail, hint=hint)
    except OSError:
        return None
    return None


def _shown(address: Address, context: ssl.SSLContext) -> bytes:
    """The certificate the host shows in a handshake by these rules, as DER."""
    where = (address.host, uri.port_of(address))
    with (
        contextlib.closing(socket.create_connection(where, _WAIT_S)) as plain,
        context.wrap_socket(plain, server_hostname=address.host) as wrapped,
    ):
        return cast(bytes, wrapped.getpeercert(binary_form=True))


def _short(name: x509.Name) -> str:
    return name.rfc4514_string() or "nobody"
