"""libvirt's errors as sentences with a hint: codes first, texts where codes are mute.

    with explaining("start web-1"):
        domain.create()

raises Conflict("Could not start web-1: it is already running.").
"""

import errno
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import libvirt

from kvmweb.errors import (
    AppError,
    Conflict,
    HostError,
    HostTimeout,
    HostUnreachable,
    Invalid,
    NotFound,
    Unsupported,
)


@contextmanager
def explaining(doing: str) -> Iterator[None]:
    """Turn a libvirtError of the block into an AppError; `doing` is "start web-1"."""
    try:
        yield
    except libvirt.libvirtError as error:
        raise explain(error, doing) from error


def explain(error: libvirt.libvirtError, doing: str) -> AppError:
    """What this error means to a person, of the kind that tells a program what to do.

    HostUnreachable: nothing was done. HostTimeout: the call was taken and its outcome
    is not known. Any other HostError, Conflict, NotFound, Unsupported: it was refused.
    """
    text = _text_of(error)
    for reason in _REASONS:
        if reason.fits(error, text):
            said = reason.sentence.format(said=text)
            return _made(reason.kind, f"Could not {doing}: {said}", reason.hint)
    return HostError(f"Could not {doing}: {_sentence(text)}")


def problem_of(error: libvirt.libvirtError, doing: str) -> str:
    """What went wrong with one thing among many, as a sentence.

    Raises HostUnreachable when it is the connection that broke.
    """
    reason = explain(error, doing)
    if isinstance(reason, HostUnreachable):
        raise reason from error
    return reason.detail


def _made(kind: type[AppError], detail: str, hint: str) -> AppError:
    return kind(_sentence(detail), hint=hint)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "…", "?")) else f"{text}."


def _text_of(error: libvirt.libvirtError) -> str:
    """One line of libvirt's text, short, without control characters."""
    text = re.sub(r"[\x00-\x1f\x7f]+", " ", error.get_error_message() or str(error))
    line = re.sub(_PREFIXES, "", " ".join(text.split()), flags=re.IGNORECASE)
    return re.sub(_OUR_FILES, r"\1", line)[:600]


@dataclass(frozen=True)
class _Reason:
    """One thing that goes wrong: how it is recognised, and what it is called."""

    kind: type[AppError]
    sentence: str
    hint: str = ""
    codes: tuple[int, ...] = ()
    numbers: tuple[int, ...] = ()  # errno, where libvirt passes one
    pattern: str = ""
    when: Callable[[libvirt.libvirtError], bool] | None = None

    def fits(self, error: libvirt.libvirtError, text: str) -> bool:
        if self.codes and error.get_error_code() not in self.codes:
            return False
        if self.numbers and error.get_int1() not in self.numbers:
            return False
        if self.when and not self.when(error):
            return False
        return re.search(self.pattern, text, re.IGNORECASE) is not None


def _of_rpc(error: libvirt.libvirtError) -> bool:
    return error.get_error_domain() in {libvirt.VIR_FROM_RPC, libvirt.VIR_FROM_REMOTE}


# What libvirt puts before the part that says something.
_PREFIXES = (
    r"^(?:(?:internal error|operation failed|requested operation is not valid): )+"
)
# Files that we wrote for libvirt to read; where they lay is nobody's business.
_OUR_FILES = r"\S*/((?:cacert|clientcert|clientkey)\.pem)"
_SYSTEM = (libvirt.VIR_ERR_SYSTEM_ERROR,)
_STARTED = "Is libvirtd (or virtqemud) running there, and does it listen?"
_CLOCKS = "Check the host's certificate and the clocks of both machines."

_INVALID = (
    libvirt.VIR_ERR_OPERATION_INVALID,
    libvirt.VIR_ERR_OPERATION_FAILED,  # as some drivers call it
    libvirt.VIR_ERR_INTERNAL_ERROR,
)
UNVERIFIED = "the host's certificate could not be verified."  # `tls` can say why

# The first that fits says it. Connections come first: their texts quote others.
_REASONS = (
    _Reason(
        HostUnreachable,
        "the connection was refused.",
        _STARTED,
        codes=_SYSTEM,
        pattern=r"connect.*connection refused",
    ),
    _Reason(
        HostUnreachable,
        "there is no libvirt socket.",
        "Start libvirtd on the host, or correct the path of its socket.",
        codes=_SYSTEM,
        pattern=r"connect socket to '.*no such file|connect.*not found",
    ),
    _Reason(
        HostUnreachable,
        "libvirt's socket may not be opened by this user.",
        "Add the user to the group libvirt on the host.",
        codes=_SYSTEM,
        pattern=r"connect socket to '.*permission denied",
    ),
    _Reason(
        HostUnreachable,
        "nobody knows a host of this name.",
        "Check the spelling, and the DNS of the machine that runs this product.",
        pattern=r"name or service not known|temporary failure in name resolution"
        r"|no address associated|unable to resolve",
    ),
    _Reason(
        HostUnreachable,
        "the network does not lead there.",
        "Is the host on, and does a firewall drop the port?",
        codes=_SYSTEM,
        pattern=r"connect.*(timed out|no route to host|unreachable|host is down)",
    ),
    _Reason(
        HostUnreachable,
        "the client certificate given here was not signed by the authority given here.",
        "Give the certificate of the authority (CA) that signed both sides.",
        pattern=r"our own certificate .*failed validation",
        when=_of_rpc,
    ),
    _Reason(
        HostUnreachable,
        "the client certificate and the key given here do not belong together.",
        "Give the key that the certificate was made from.",
        pattern=r"certificate and the given key do not match",
        when=_of_rpc,
    ),
    _Reason(
        HostUnreachable,
        "the host did not accept us by our certificate.",
        "Give a client certificate that the host's own authority signed.",
        pattern=r"unable to read tls confirmation",
        when=_of_rpc,
    ),
    _Reason(
        HostUnreachable,
        "what answers there is not libvirt.",
        "Check the port, and that the transport is the one the host listens for.",
        pattern=r"bytes received from server too (large|small)|tls handshake failed",
        when=_of_rpc,
    ),
    _Reason(
        HostUnreachable,
        "the host's certificate is for another name than the address given here.",
        "Use the name that is in the certificate, or issue one for this address.",
        pattern=r"certificate.*(owner|does not match the hostname)",
        when=_of_rpc,
    ),
    _Reason(
        HostUnreachable,
        "the host's certificate has expired.",
        _CLOCKS,
        pattern=r"certificate.*expired",
        when=_of_rpc,
    ),
    _Reason(
        HostUnreachable,
        "the host's certificate is not valid yet.",
        _CLOCKS,
        pattern=r"certificate.*not.*(yet|activated)",
        when=_of_rpc,
    ),
    _Reason(
        HostUnreachable,
        "the host's certificate was not signed by the authority given here.",
        "Give the certificate of the authority (CA) that signed the host's.",
        pattern=r"certificate.*(not trusted|got a known issuer)",
        when=_of_rpc,
    ),
    _Reason(
        HostUnreachable,
        UNVERIFIED,
        "Is it signed by the authority given here, for this address, and still valid?",
        pattern=r"failed to verify peer's certificate",
        when=_of_rpc,
    ),
    _Reason(
        HostUnreachable,
        "a certificate cannot be used: {said}",
        "Give PEM files of a CA, a client certificate and its key that fit together.",
        pattern=r"certificate|x509|private key",
        when=_of_rpc,
    ),
    _Reason(
        HostUnreachable,
        "TLS was not agreed on: {said}",
        "Does the host expect a client certificate, or does this port speak no TLS?",
        pattern=r"\btls\b|gnutls",
        when=_of_rpc,
    ),
    _Reason(
        HostUnreachable,
        "the host did not let us in.",
        "Check user and password. By tcp libvirt takes none that go unencrypted: use tls.",
        codes=(
            libvirt.VIR_ERR_AUTH_FAILED,
            libvirt.VIR_ERR_AUTH_CANCELLED,
            libvirt.VIR_ERR_AUTH_UNAVAILABLE,
        ),
    ),
    _Reason(
        HostTimeout,
        "the connection broke meanwhile; what came true there is not known yet.",
        "Was libvirtd restarted, or the network cut?",
        pattern=r"keepalive|end of file while|cannot (recv|read|write|send) data"
        r"|broken pipe|connection reset|client socket is closed|not connected",
        when=lambda error: (
            _of_rpc(error)
            or error.get_error_code()
            in {libvirt.VIR_ERR_SYSTEM_ERROR, libvirt.VIR_ERR_INTERNAL_ERROR}
        ),
    ),
    _Reason(
        HostError,
        "this connection may only read.",
        "Give this product a user who may change things on the host (group libvirt).",
        codes=(libvirt.VIR_ERR_OPERATION_DENIED,),
    ),
    _Reason(
        HostError,
        "the host's own rules forbid it to this user: {said}",
        "See polkit's rules for libvirt on the host.",
        codes=(libvirt.VIR_ERR_ACCESS_DENIED,),
    ),
    _Reason(
        NotFound,
        "the host does not know this guest any more.",
        codes=(libvirt.VIR_ERR_NO_DOMAIN,),
    ),
    _Reason(
        NotFound,
        "{said}",
        codes=(
            libvirt.VIR_ERR_NO_STORAGE_POOL,
            libvirt.VIR_ERR_NO_STORAGE_VOL,
            libvirt.VIR_ERR_NO_NETWORK,
            libvirt.VIR_ERR_NO_DOMAIN_SNAPSHOT,
            libvirt.VIR_ERR_NO_SECRET,
            libvirt.VIR_ERR_DEVICE_MISSING,
        ),
    ),
    _Reason(
        Conflict,
        "it is already running.",
        codes=_INVALID,
        pattern=r"already (running|active)",
    ),
    _Reason(
        Conflict,
        "it is not running.",
        codes=_INVALID,
        pattern=r"domain.*(not|isn't) (running|active)",
    ),
    _Reason(
        Conflict,
        "its state does not allow it: {said}",
        codes=(libvirt.VIR_ERR_OPERATION_INVALID,),
    ),
    _Reason(
        Conflict,
        "the host is making another volume in that pool.",
        "Wait until that has ended.",
        pattern=r"has asynchronous jobs running|is still being allocated",
    ),
    _Reason(
        Conflict,
        "the host is still busy with another change of it.",
        "Wait until that has ended, or cancel it.",
        codes=(libvirt.VIR_ERR_OPERATION_TIMEOUT, libvirt.VIR_ERR_RESOURCE_BUSY),
    ),
    _Reason(
        Conflict,
        "there is one of this name or UUID already.",
        codes=(
            libvirt.VIR_ERR_DOM_EXIST,
            libvirt.VIR_ERR_NETWORK_EXIST,
            libvirt.VIR_ERR_STORAGE_VOL_EXIST,
        ),
    ),
    _Reason(
        HostError,
        "the guest's agent does not answer.",
        "Is qemu-guest-agent running in the guest?",
        codes=(
            libvirt.VIR_ERR_AGENT_UNRESPONSIVE,
            libvirt.VIR_ERR_AGENT_UNSYNCED,
        ),
    ),
    _Reason(
        HostError,
        "the host has no space left.",
        "Free some in the pool, or grow it.",
        pattern=r"no space left|not enough (free )?space|disk quota exceeded",
    ),
    _Reason(
        HostError,
        "the host has not enough memory for it.",
        "Stop another guest there, or give this one less.",
        pattern=r"cannot allocate memory|cannot set up guest memory",
    ),
    _Reason(
        Unsupported,
        "this host cannot do it: {said}",
        "Its libvirt or QEMU may be too old.",
        codes=(
            libvirt.VIR_ERR_NO_SUPPORT,
            libvirt.VIR_ERR_OPERATION_UNSUPPORTED,
            libvirt.VIR_ERR_CONFIG_UNSUPPORTED,
            libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED,
            libvirt.VIR_ERR_NO_CONNECT,
        ),
    ),
    _Reason(
        Unsupported,
        "this host cannot do it: {said}",
        "Its libvirt may be too old.",
        pattern=r"unknown procedure|unsupported flags|does not support",
    ),
    _Reason(
        Invalid,
        "the host does not accept this document: {said}",
        codes=(
            libvirt.VIR_ERR_XML_ERROR,
            libvirt.VIR_ERR_XML_DETAIL,
            libvirt.VIR_ERR_XML_INVALID_SCHEMA,
        ),
    ),
    _Reason(
        HostUnreachable,
        "the network does not lead there.",
        "Is the host on, and does a firewall drop the port?",
        codes=_SYSTEM,
        numbers=(errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH),
        when=_of_rpc,
    ),
)
