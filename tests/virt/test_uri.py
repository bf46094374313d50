"""Hosts are described by parts; nothing typed reaches libvirt as a URI of its own."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from kvmweb.errors import Invalid
from kvmweb.virt.types import Address, Secrets, Transport
from kvmweb.virt.uri import label_of, uri_of, validate

PEM = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----"
KEY = "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("address", "uri"),
    [
        (Address(Transport.LOCAL), "qemu:///system"),
        (Address(Transport.TEST), "test:///default"),
        (Address(Transport.TEST, socket_path="/srv/a.xml"), "test:///srv/a.xml"),
        (
            Address(Transport.UNIX, socket_path="/run/libvirt/libvirt-sock"),
            "qemu+unix:///system?socket=/run/libvirt/libvirt-sock",
        ),
        (Address(Transport.TCP, host="kvm1"), "qemu+tcp://kvm1:16509/system"),
        (
            Address(Transport.TCP, host="10.0.0.7", port=17),
            "qemu+tcp://10.0.0.7:17/system",
        ),
        (
            Address(Transport.TLS, host="kvm1.example.org"),
            "qemu+tls://kvm1.example.org:16514/system",
        ),
        (Address(Transport.TLS, host="fd00::7"), "qemu+tls://[fd00::7]:16514/system"),
    ],
)
def test_parts_become_a_uri(address: Address, uri: str) -> None:
    assert uri_of(address) == uri


def test_ssh_is_opened_by_the_near_end_of_our_tunnel() -> None:
    address = Address(Transport.SSH, host="kvm1", username="root")
    uri = uri_of(address, socket=Path("/tmp/k/s"))
    assert uri == "qemu+unix:///system?socket=/tmp/k/s"


def test_certificates_are_looked_for_where_we_put_them() -> None:
    address = Address(Transport.TLS, host="kvm1")
    assert uri_of(address, pki=Path("/run/k p")).endswith("?pkipath=/run/k%20p")


@pytest.mark.parametrize(
    "host",
    [
        "",
        "kvm1/system?command=id",
        "kvm1#",
        "kvm1?netcat=x",
        "kvm1:22",
        "root@kvm1",
        "-oProxyCommand=id",
        "kvm1\n",
        "kvm 1",
        "kvm1%2f",
        "[::1]",
        "::1%eth0",
        "fe80::1%/x?command=id",
        "a..b",
        "ö.example.org",
        "a" * 64,
        "a." * 127 + "ab",
    ],
)
@pytest.mark.parametrize("transport", [Transport.TCP, Transport.TLS, Transport.SSH])
def test_a_host_is_a_name_or_an_ip_address(transport: Transport, host: str) -> None:
    with pytest.raises(Invalid) as caught:
        validate(Address(transport, host=host, username="root"))
    assert list(caught.value.errors) == ["address"]


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_is_in_range(port: int) -> None:
    with pytest.raises(Invalid) as caught:
        validate(Address(Transport.TCP, host="kvm1", port=port))
    assert list(caught.value.errors) == ["port"]


@pytest.mark.parametrize("name", ["-l", "a b", "a;b", "a\n", "$x", "a" * 65, "é"])
def test_a_user_is_a_plain_name(name: str) -> None:
    with pytest.raises(Invalid) as caught:
        validate(Address(Transport.SSH, host="kvm1", username=name))
    assert list(caught.value.errors) == ["username"]


def test_ssh_needs_a_user() -> None:
    with pytest.raises(Invalid) as caught:
        validate(Address(Transport.SSH, host="kvm1"))
    assert list(caught.value.errors) == ["username"]


@pytest.mark.parametrize(
    "path",
    ["a", "/", "/a?command=id", "/a#b", "/a&socket=b", "/a b", "/../x", "/a/..",
     "/a//b", "/a\n", "/a%20", "/a:b", "/" + "a" * 107],
)  # fmt: skip
@pytest.mark.parametrize("transport", [Transport.UNIX, Transport.TEST, Transport.SSH])
def test_a_path_is_absolute_and_plain(transport: Transport, path: str) -> None:
    host = "kvm1" if transport == Transport.SSH else ""
    user = "root" if transport == Transport.SSH else ""
    with pytest.raises(Invalid) as caught:
        validate(Address(transport, host=host, username=user, socket_path=path))
    assert list(caught.value.errors) == ["socket_path"]


def test_every_fault_is_told_at_once() -> None:
    address = Address(
        Transport.SSH,
        host="a/b",
        port=0,
        username="-x",
        secrets=Secrets(ssh_private_key="x", ssh_host_key="y"),
    )
    with pytest.raises(Invalid) as caught:
        validate(address)
    assert set(caught.value.errors) == {
        "address",
        "port",
        "username",
        "ssh_private_key",
        "ssh_host_key",
    }


@pytest.mark.parametrize(
    ("secrets", "field"),
    [
        (Secrets(tls_ca="x"), "tls_ca"),
        (Secrets(tls_ca=PEM, tls_certificate=PEM), "tls_key"),
        (Secrets(tls_ca=PEM, tls_key=KEY), "tls_certificate"),
        (Secrets(tls_certificate=PEM, tls_key=KEY), "tls_ca"),
        (Secrets(password="a\nb"), "password"),
    ],
)
def test_certificates_are_whole(secrets: Secrets, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        validate(Address(Transport.TLS, host="kvm1", secrets=secrets))
    assert list(caught.value.errors) == [field]


def test_no_fault_repeats_what_was_typed_as_a_secret() -> None:
    secrets = Secrets(password="hunter2\n", ssh_private_key="hunter2", tls_ca="hunter2")
    with pytest.raises(Invalid) as caught:
        validate(Address(Transport.TLS, host="kvm1", secrets=secrets))
    assert "hunter2" not in f"{caught.value} {caught.value.errors}"
    assert "hunter2" not in repr(secrets)


@pytest.mark.parametrize(
    "address",
    [
        Address(Transport.LOCAL, host="kvm1"),
        Address(Transport.UNIX, socket_path="/run/s", port=1),
        Address(Transport.TCP, host="kvm1", socket_path="/run/s"),
        Address(Transport.UNIX),
    ],
)
def test_a_transport_takes_its_own_parts_only(address: Address) -> None:
    with pytest.raises(Invalid):
        validate(address)


@given(
    transport=some.sampled_from(list(Transport)),
    host=some.text(max_size=80),
    path=some.text(max_size=40),
    user=some.text(max_size=20),
)
def test_nothing_is_smuggled(
    transport: Transport, host: str, path: str, user: str
) -> None:
    address = Address(transport, host=host, username=user, socket_path=path)
    try:
        uri = uri_of(address, socket=Path("/s"))
    except Invalid:
        return
    allowed = 1 if transport in {Transport.UNIX, Transport.SSH} else 0
    assert uri.count("?") == uri.count("=") == allowed
    assert not set(uri) & set("#& \n\t\"'\\;")
    assert label_of(address)
