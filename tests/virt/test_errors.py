"""What libvirt says becomes a sentence that says what to do."""

import errno

import libvirt
import pytest

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
from kvmweb.virt.errors import explain, explaining, problem_of

RPC = libvirt.VIR_FROM_RPC
QEMU = libvirt.VIR_FROM_QEMU
SYSTEM = libvirt.VIR_ERR_SYSTEM_ERROR


def said(code: int, origin: int, text: str, number: int = 0) -> libvirt.libvirtError:
    """An error as libvirt makes them."""
    error = libvirt.libvirtError("made")
    error.err = (code, origin, text, 2, None, None, None, number, -1)
    return error


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (
            said(
                SYSTEM,
                RPC,
                "unable to connect to server at 'kvm1:16509': Connection refused",
                errno.ECONNREFUSED,
            ),
            HostUnreachable,
            "the connection was refused",
        ),
        (
            said(
                SYSTEM,
                RPC,
                "unable to connect to server at 'kvm1:16509': Connection timed out",
            ),
            HostUnreachable,
            "the network does not lead there",
        ),
        (
            said(
                SYSTEM,
                RPC,
                "unable to connect to server at 'kvm1:16509': No route to host",
            ),
            HostUnreachable,
            "the network does not lead there",
        ),
        (
            said(
                SYSTEM,
                RPC,
                "unable to resolve address 'kvm1' service '16509': "
                "Name or service not known",
            ),
            HostUnreachable,
            "nobody knows a host of this name",
        ),
        (
            said(
                SYSTEM,
                RPC,
                "Failed to connect socket to '/run/libvirt/libvirt-sock': "
                "No such file or directory",
            ),
            HostUnreachable,
            "there is no libvirt socket",
        ),
        (
            said(
                SYSTEM,
                RPC,
                "Failed to connect socket to '/run/libvirt/libvirt-sock': "
                "Permission denied",
            ),
            HostUnreachable,
            "may not be opened by this user",
        ),
        (
            said(SYSTEM, RPC, "The server certificate /tmp/x/cacert.pem has expired"),
            HostUnreachable,
            "has expired",
        ),
        (
            said(
                SYSTEM,
                RPC,
                "Certificate [session] owner does not match the hostname kvm1",
            ),
            HostUnreachable,
            "for another name",
        ),
        (
            said(libvirt.VIR_ERR_AUTH_FAILED, RPC, "authentication failed: denied"),
            HostUnreachable,
            "did not let us in",
        ),
        (
            said(SYSTEM, RPC, "Cannot recv data: Connection reset by peer"),
            HostTimeout,
            "not known yet",
        ),
        (
            said(
                libvirt.VIR_ERR_INTERNAL_ERROR,
                RPC,
                "internal error: client socket is closed",
            ),
            HostTimeout,
            "not known yet",
        ),
        (
            said(
                libvirt.VIR_ERR_OPERATION_INVALID,
                QEMU,
                "Requested operation is not valid: domain is already running",
            ),
            Conflict,
            "it is already running",
        ),
        (
            said(
                libvirt.VIR_ERR_OPERATION_INVALID,
                QEMU,
                "Requested operation is not valid: domain is not running",
            ),
            Conflict,
            "it is not running",
        ),
        (
            said(
                libvirt.VIR_ERR_OPERATION_TIMEOUT,
                QEMU,
                "Timed out during operation: cannot acquire state change lock "
                "(held by monitor=remoteDispatchDomainSuspend)",
            ),
            Conflict,
            "still busy",
        ),
        (
            said(libvirt.VIR_ERR_NO_DOMAIN, QEMU, "Domain not found: no domain 'x'"),
            NotFound,
            "does not know this guest",
        ),
        (
            said(libvirt.VIR_ERR_OPERATION_DENIED, QEMU, "operation forbidden"),
            HostError,
            "may only read",
        ),
        (
            said(
                SYSTEM,
                libvirt.VIR_FROM_STORAGE,
                "cannot allocate 999 bytes in file '/a': No space left on device",
            ),
            HostError,
            "no space left",
        ),
        (
            said(libvirt.VIR_ERR_NO_SUPPORT, QEMU, "this function is not supported"),
            Unsupported,
            "cannot do it",
        ),
        (
            said(libvirt.VIR_ERR_XML_ERROR, QEMU, "XML error: no os type"),
            Invalid,
            "does not accept this document: XML error: no os type",
        ),
        (
            said(libvirt.VIR_ERR_INTERNAL_ERROR, QEMU, "internal error: something odd"),
            HostError,
            "something odd",
        ),
    ],
)
def test_an_error_becomes_a_sentence(
    error: libvirt.libvirtError, kind: type[AppError], words: str
) -> None:
    reason = explain(error, "start web-1")
    assert type(reason) is kind
    assert reason.detail.startswith("Could not start web-1: ")
    assert words in reason.detail
    assert reason.detail.endswith(".")


def test_a_guest_may_not_look_like_a_broken_connection() -> None:
    """QEMU's own words are about the guest, whatever certificates they speak of."""
    text = "internal error: qemu: Unable to access certificate: end of file"
    reason = explain(said(libvirt.VIR_ERR_INTERNAL_ERROR, QEMU, text), "start web-1")
    assert type(reason) is HostError


def test_control_characters_stay_out() -> None:
    text = "bad\x1b[31m\nname\x00"
    reason = explain(said(libvirt.VIR_ERR_INTERNAL_ERROR, QEMU, text), "start x")
    assert reason.detail == "Could not start x: bad [31m name."


def test_the_cause_is_kept() -> None:
    conn = libvirt.open("test:///default")
    with pytest.raises(NotFound) as caught, explaining("find nobody"):
        conn.lookupByName("nobody")
    assert isinstance(caught.value.__cause__, libvirt.libvirtError)
    conn.close()


def test_one_odd_thing_has_a_problem_and_a_broken_connection_is_raised() -> None:
    odd = said(libvirt.VIR_ERR_INTERNAL_ERROR, QEMU, "cannot stat it")
    assert problem_of(odd, "read a") == "Could not read a: cannot stat it."
    with pytest.raises(HostUnreachable):
        problem_of(said(SYSTEM, RPC, "Cannot write data: Broken pipe"), "read a")
