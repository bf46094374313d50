"""A client of a screen over a WebSocket, as little of RFC 6143 as measuring needs."""

import struct
from contextlib import ExitStack
from typing import Self

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

_NO_PASSWORD, _PASSWORD = 1, 2
_UPDATE, _COLOURS, _CUT_TEXT = 0, 1, 3
_RAW = 0


class Screen:
    """Signed in to a screen that sends raw pixels; ask it for whole updates."""

    def __init__(self, url: str, password: str = "") -> None:
        self._until_left = ExitStack()
        opening = connect(
            url,
            subprotocols=[Subprotocol("binary")],
            max_size=None,
            compression=None,
            ping_interval=None,
        )
        self._socket: ClientConnection = self._until_left.enter_context(opening)
        self._waiting = bytearray()
        self._handshake(password)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._until_left.close()

    def update(self) -> int:
        """The whole screen again; how many bytes of pixels came."""
        self._socket.send(struct.pack(">BBHHHH", 3, 0, 0, 0, self.width, self.height))
        while (kind := self._read(1)[0]) != _UPDATE:
            self._skip(kind)
        rectangles = struct.unpack(">xH", self._read(3))[0]
        return sum(self._rectangle() for _ in range(rectangles))

    def _skip(self, kind: int) -> None:
        """Read over a message that is no update: a bell has no body."""
        if kind == _COLOURS:
            self._read(struct.unpack(">xHH", self._read(5))[1] * 6)
        elif kind == _CUT_TEXT:
            self._read(struct.unpack(">xxxI", self._read(7))[0])

    def _rectangle(self) -> int:
        *_, width, height, encoding = struct.unpack(">HHHHi", self._read(12))
        if encoding != _RAW:
            raise ValueError(
                f"The server sent encoding {encoding}, which nobody asked."
            )
        return len(self._read(width * height * 4))

    def _handshake(self, password: str) -> None:
        self._read(12)
        self._socket.send(b"RFB 003.008\n")
        offered = self._read(self._read(1)[0])
        if _NO_PASSWORD in offered:
            self._socket.send(bytes([_NO_PASSWORD]))
        else:
            self._socket.send(bytes([_PASSWORD]))
            self._socket.send(_answer(self._read(16), password))
        if self._read(4) != b"\0\0\0\0":
            raise PermissionError("The screen refused the password.")
        self._socket.send(b"\1")
        self.width, self.height = struct.unpack(">HH", self._read(4))
        self._read(16)
        self._read(struct.unpack(">I", self._read(4))[0])
        self._socket.send(struct.pack(">BxHi", 2, 1, _RAW))

    def _read(self, count: int) -> bytes:
        while len(self._waiting) < count:
            self._waiting += self._socket.recv(decode=False)
        taken = bytes(self._waiting[:count])
        del self._waiting[:count]
        return taken


def _answer(challenge: bytes, password: str) -> bytes:
    """What proves the password: DES with the bits of each byte mirrored."""
    key = bytes(
        int(f"{byte:08b}"[::-1], 2) for byte in password.encode()[:8].ljust(8, b"\0")
    )
    cipher = Cipher(TripleDES(key * 3), modes.ECB()).encryptor()  # noqa: S305  the protocol's own
    return cipher.update(challenge) + cipher.finalize()
