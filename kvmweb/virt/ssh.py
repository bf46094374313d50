"""One ssh process of ours in front of a host: it carries a socket, and runs nothing.

libvirt could start ssh itself, but only with options in its URI and with the agent,
keys and known hosts of whoever runs us. This one knows the host's key beforehand, has
one private key in a file that lives as long as it is read, and reads no configuration.
"""

import base64
import binascii
import hashlib
import itertools
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kvmweb.errors import HostError, HostUnreachable, Invalid
from kvmweb.virt import uri
from kvmweb.virt.types import Address, Secrets, Transport

_CONNECT_S = 3
_OPEN_S = 10.0  # all of ssh's part; whoever opens a host has a shorter deadline
_LOOK_S = 0.01
_SUN_PATH_MAX = 107
_KEY_TYPES = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa")  # the best first

# What ssh says on its error output, and what that means. The first that fits.
_REASONS = (
    (
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
        "the host shows another key than the one that is trusted.",
        "Was the host installed anew, or is somebody in between? Compare its key first.",
    ),
    (
        "Host key verification failed",
        "the host's key is not the one that is trusted.",
        "Compare the key the host shows with the host itself, then trust it.",
    ),
    (
        "no matching host key type",
        "the host no longer has a key of the trusted kind.",
        "Compare its new key with the host itself, then trust it.",
    ),
    (
        "invalid format",
        "the private key cannot be read.",
        "Give it in OpenSSH's form, without a passphrase.",
    ),
    (
        "error in libcrypto",
        "the private key cannot be read.",
        "Give it whole, in OpenSSH's form, without a passphrase.",
    ),
    (
        "Permission denied",
        "the host does not accept this user's key.",
        "Is the public key in authorized_keys of that user on the host?",
    ),
    (
        "Could not resolve hostname",
        "nobody knows a host of this name.",
        "Check the spelling, and the DNS of the machine that runs this product.",
    ),
    (
        "Connection refused",
        "the connection was refused.",
        "Does sshd run there, on this port?",
    ),
    (
        "timed out",
        "the network does not lead there.",
        "Is the host on, and does a firewall drop the port?",
    ),
    (
        "No route to host",
        "the network does not lead there.",
        "Is the host on, and does a firewall drop the port?",
    ),
    (
        "Network is unreachable",
        "the network does not lead there.",
        "Has this machine a route to the host?",
    ),
    (
        "administratively prohibited",
        "its sshd forbids forwarding.",
        "Allow AllowStreamLocalForwarding and AllowTcpForwarding in sshd_config there.",
    ),
    (
        "open failed",
        "what was asked for on the host does not answer.",
        "Does libvirtd run there, and may this user open its socket (group libvirt)?",
    ),
)


@dataclass(frozen=True, slots=True)
class HostKey:
    """A host's public key, to be compared by a person before it is trusted."""

    line: str  # "ssh-ed25519 AAAA…": what Secrets.ssh_host_key takes
    fingerprint: str  # "SHA256:…", as ssh-keygen -l shows it


class Tunnel:
    """A running ssh; `socket` leads to the far end as long as it runs."""

    def __init__(self, socket: Path, said: Path, label: str) -> None:
        self.socket = socket
        self._said = said
        self._label = label

    def fault(self) -> HostUnreachable | None:
        """What ssh complained about, if it did."""
        return _explained(self._said.read_text(errors="replace"), self._label)


@contextmanager
def forward(
    address: Address, far: str, far_port: int | None = None
) -> Iterator[Tunnel]:
    """A socket on this machine that leads to `far` as the host sees it.

    `far` is the path of a socket there, or with `far_port` a name or IP address (a
    screen on 127.0.0.1). Only this user can open the near end: `tunnel.socket`. It
    ends with the block, or with the thread that entered it. Raises HostUnreachable.
    """
    with (
        tempfile.TemporaryDirectory(prefix="s") as directory,
        Path(directory, "e").open("wb") as said,
    ):
        near = Path(directory, "s")
        if len(str(near)) > _SUN_PATH_MAX:
            message = f"The directory {directory} is too deep for a socket."
            raise HostError(
                message, hint="Choose a runtime directory with a short path."
            )
        command = _command(address, Path(directory), _spec(near, far, far_port))
        process = subprocess.Popen(  # noqa: S603 - every part was validated
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        )
        try:
            _await(process, near, Path(said.name), address.host)
            Path(directory, "key").unlink()
            yield Tunnel(near, Path(said.name), address.host)
        finally:
            process.kill()
            process.wait()


def scan_host_key(host: str, port: int = 22) -> HostKey:
    """The key a host shows, for a person to compare. Raises Invalid, HostUnreachable."""
    place = Address(
        Transport.SSH,
        host=host,
        port=port,
        username="nobody",
    )
    uri.validate(place)
    said = subprocess.run(  # noqa: S603 - validated above
        [
            "/usr/bin/ssh-keyscan",
            "-T",
            str(_CONNECT_S),
            "-p",
            str(port),
            "-t",
            "ed25519,ecdsa,rsa",
            "--",
            host,
        ],
        capture_output=True,
        text=True,
        timeout=_OPEN_S,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    lines = [
        line.split(" ", 2)[1:] for line in said.stdout.splitlines() if line[0] != "#"
    ]
    for kind, (found, key) in itertools.product(_KEY_TYPES, lines):
        if kind == found:
            return HostKey(f"{kind} {key}", _fingerprint(key))
    fault = _explained(said.stderr, host)
    raise fault or HostUnreachable(
        f"Could not connect to {host} by ssh: no host key was shown on port {port}.",
        hint="Does sshd run there, on this port?",
    )


def fingerprint_of(line: str) -> str:
    """The fingerprint of a host key "ssh-ed25519 AAAA…". Raises Invalid."""
    try:
        return _fingerprint(line.split()[1])
    except (IndexError, binascii.Error) as error:
        sentence = 'A host key looks like "ssh-ed25519 AAAA…".'
        raise Invalid(sentence, errors={"ssh_host_key": [sentence]}) from error


def _fingerprint(key: str) -> str:
    digest = hashlib.sha256(base64.b64decode(key, validate=True)).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def _spec(near: Path, far: str, far_port: int | None) -> str:
    if far_port is None:
        uri.validate(Address(Transport.UNIX, socket_path=far))
        return f"{near}:{far}"
    uri.validate(Address(Transport.TCP, host=far, port=far_port))
    return f"{near}:[{far}]:{far_port}" if ":" in far else f"{near}:{far}:{far_port}"


def _command(address: Address, directory: Path, spec: str) -> list[str]:
    uri.validate(address)
    secrets = address.secrets
    _write_files(secrets, directory, address.host)
    options = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": str(directory / "known"),
        "GlobalKnownHostsFile": "/dev/null",
        "HostKeyAlias": "host",
        "CheckHostIP": "no",
        "UpdateHostKeys": "no",
        "IdentityFile": str(directory / "key"),
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "PreferredAuthentications": "publickey",
        "ConnectTimeout": str(_CONNECT_S),
        "ConnectionAttempts": "1",
        "ServerAliveInterval": "5",
        "ServerAliveCountMax": "3",
        "ExitOnForwardFailure": "yes",
        "StreamLocalBindMask": "0177",
        "Compression": "no",
    }
    return [
        # ssh goes with the process that started it, however that one ends.
        *("/usr/bin/setpriv", "--pdeathsig", "KILL"),
        *("/usr/bin/ssh", "-F", "/dev/null", "-N", "-T", "-a", "-x"),
        *(
            part
            for name, value in options.items()
            for part in ("-o", f"{name}={value}")
        ),
        *("-p", str(uri.port_of(address)), "-l", address.username),
        *("-L", spec, "--", address.host),
    ]


def _write_files(secrets: Secrets, directory: Path, label: str) -> None:
    if not secrets.ssh_host_key:
        raise HostUnreachable(
            f"Could not connect to {label} by ssh: none of its host keys is trusted yet.",
            hint="Look at the key it shows, compare it with the host, and trust it.",
        )
    if not secrets.ssh_private_key:
        raise HostUnreachable(
            f"Could not connect to {label} by ssh: there is no private key to sign in.",
            hint="Give one in OpenSSH's form, without a passphrase.",
        )
    kind, key = secrets.ssh_host_key.split()[:2]
    Path(directory, "known").write_text(f"host {kind} {key}\n")
    private = Path(directory, "key")
    private.touch(mode=0o600)
    # OpenSSH refuses a key with the line ends of a web form, or without a last one.
    private.write_text(secrets.ssh_private_key.replace("\r\n", "\n").strip() + "\n")


def _await(
    process: subprocess.Popen[bytes], near: Path, said: Path, label: str
) -> None:
    """Wait until ssh listens at the near end: it is signed in by then."""
    until = time.monotonic() + _OPEN_S
    while not near.exists():
        if process.poll() is not None or time.monotonic() > until:
            text = said.read_text(errors="replace")
            raise _explained(text, label) or HostUnreachable(
                f"Could not connect to {label} by ssh: it did not let us in.",
                hint="Does sshd run there, and does this user's key fit?",
            )
        time.sleep(_LOOK_S)


def _explained(text: str, label: str) -> HostUnreachable | None:
    for sign, sentence, hint in _REASONS:
        if sign in text:
            detail = f"Could not connect to {label} by ssh: {sentence}"
            return HostUnreachable(detail, hint=hint)
    return None
