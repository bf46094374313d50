"""Keys and certificates of a lab: its own authority, and what ssh needs."""

import datetime as dt
import ipaddress
import time
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_Key = ec.EllipticCurvePrivateKey
_LIFE = dt.timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, both as PEM."""

    certificate: str
    key: str = field(repr=False)


class Authority:
    """A certificate authority that exists only in this process's memory."""

    def __init__(self, name: str = "kvmweb lab") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = _builder(self._name, self._name, self._key).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        usage = _usage(signs_certificates=True)
        signed = builder.add_extension(usage, critical=True)
        self._certificate = signed.sign(self._key, hashes.SHA256())
        self.pem = _pem(self._certificate)

    def server(self, name: str, address: str) -> Pair:
        """A server's certificate, good for its name and its IP address."""
        names = x509.SubjectAlternativeName(
            [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address(address))]
        )
        return self._signed(name, ExtendedKeyUsageOID.SERVER_AUTH, names)

    def client(self, name: str) -> Pair:
        """A client's certificate."""
        names = x509.SubjectAlternativeName([x509.DNSName(name)])
        return self._signed(name, ExtendedKeyUsageOID.CLIENT_AUTH, names)

    def _signed(
        self,
        name: str,
        purpose: x509.ObjectIdentifier,
        names: x509.SubjectAlternativeName,
    ) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = (
            _builder(subject, self._name, key)
            .add_extension(
                x509.BasicConstraints(ca=False, path_length=None), critical=True
            )
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(names, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return Pair(_pem(certificate), _private(key))


@dataclass(frozen=True, slots=True)
class SshKey:
    """An ed25519 key: OpenSSH's private PEM, and the public line."""

    public: str
    private: str = field(repr=False)


def ssh_key() -> SshKey:
    """A new key for a person or for a host."""
    key = ed25519.Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    return SshKey(public.decode(), private.decode())


def write(path: Path, text: str) -> None:
    """A file that only its owner reads."""
    path.touch(mode=0o600)
    path.write_text(text)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: _Key
) -> x509.CertificateBuilder:
    start = dt.datetime.fromtimestamp(time.time(), dt.UTC) - _LIFE
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + 2 * _LIFE)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_encipherment=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _private(key: _Key) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
