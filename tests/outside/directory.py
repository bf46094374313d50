"""A directory beside us: a real slapd with a few people."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.utils import timezone

from deploy.product import free_port
from tests.outside.answering import answering

WORD = "a word of the directory"  # of everybody there
NEAR, FAR = "127.0.0.1", "127.0.0.2"  # the second counts as another machine
READER, READS = "cn=reader,dc=example,dc=org", "reading"
PEOPLE, GROUPS = "ou=people,dc=example,dc=org", "ou=groups,dc=example,dc=org"
_CONF = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/pid
TLSCertificateFile {folder}/cert.pem
TLSCertificateKeyFile {folder}/key.pem
database mdb
suffix "dc=example,dc=org"
rootdn "cn=root,dc=example,dc=org"
directory {folder}/db
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="cn=reader,dc=example,dc=org" read by * none
"""
_ENTRIES = """
dn: dc=example,dc=org
objectClass: domain
dc: example

dn: cn=reader,dc=example,dc=org
objectClass: person
cn: reader
sn: reader
userPassword: reading

dn: ou=people,dc=example,dc=org
objectClass: organizationalUnit
ou: people

dn: ou=groups,dc=example,dc=org
objectClass: organizationalUnit
ou: groups

dn: uid=lena,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
uid: lena
cn: Lena
sn: L
mail: lena@example.org
userPassword: {word}

dn: uid=anna,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
uid: anna
cn: Another Anna
sn: A
userPassword: {word}

dn: cn=vm-admins,ou=groups,dc=example,dc=org
objectClass: groupOfNames
cn: vm-admins
member: uid=lena,ou=people,dc=example,dc=org

dn: cn=web-team,ou=groups,dc=example,dc=org
objectClass: groupOfNames
cn: web-team
member: uid=lena,ou=people,dc=example,dc=org
"""


@contextmanager
def directory(folder: Path) -> Iterator[int]:
    """A directory in this folder as long as it is needed; its port at both addresses."""
    program = shutil.which("slapd", path="/usr/sbin:/usr/bin")
    assert program, "Debian's slapd is not installed: see deploy/packages.py."
    (folder / "db").mkdir(parents=True)
    _certificate(folder)
    conf = folder / "slapd.conf"
    conf.write_text(_CONF.format(folder=folder))
    subprocess.run(
        ["/usr/sbin/slapadd", "-f", str(conf)],
        input=_ENTRIES.format(word=WORD).encode(),
        check=True,
        capture_output=True,
    )
    port = free_port()
    listens = f"ldap://{NEAR}:{port} ldap://{FAR}:{port}"
    with answering([program, "-d", "0", "-f", str(conf), "-h", listens], port):
        yield port


def _certificate(folder: Path) -> None:
    """A certificate for the second address, which signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, FAR)])
    now = timezone.now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address(FAR))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            pem,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
