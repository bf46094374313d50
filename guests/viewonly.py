"""What a person who may only look sends to a screen, with everything else left out.

A filter for the client's side of RFB (RFC 6143 and the extensions QEMU and noVNC know):
the handshake passes, and so do requests for pictures; keys, pointer, clipboard, power
and size do not reach the guest. What it does not understand ends the session.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

_VERSIONS = (b"RFB 003.007\n", b"RFB 003.008\n")
_NO_PASSWORD, _PASSWORD = 1, 2
_RAW = 0
# With this the length of pointer messages would depend on what the server said.
_EXTENDED_BUTTONS = -316


class Unknown(Exception):
    """Something that is no RFB this filter knows; nothing after it may pass."""


@dataclass(slots=True)
class Filter:
    """Feed it what the client sends, in any pieces; send on what it gives back."""

    _held: bytearray = field(default_factory=bytearray)
    _skip: int = 0  # bytes still to be left out, of a message that was recognised
    _step: "Callable[[Filter], bytes | None] | None" = None  # None: before the version

    def feed(self, data: bytes) -> bytes:
        """What of it may pass, now that this has come too. Raises Unknown."""
        self._held += data
        passed = bytearray()
        while True:
            if self._skip:
                left_out = min(self._skip, len(self._held))
                del self._held[:left_out]
                self._skip -= left_out
            step = self._step or _version
            part = step(self) if self._held and not self._skip else None
            if part is None:
                return bytes(passed)
            passed += part

    def take(self, count: int) -> bytes | None:
        """The next so many bytes once all of them are here."""
        if len(self._held) < count:
            return None
        taken = bytes(self._held[:count])
        del self._held[:count]
        return taken

    def peek(self, count: int) -> bytes | None:
        """The same, but they stay."""
        return bytes(self._held[:count]) if len(self._held) >= count else None

    def leave_out(self, count: int) -> bytes:
        """Drop the next so many bytes, those too that have not come yet."""
        self._skip = count
        return b""

    def then(self, step: "Callable[[Filter], bytes | None]") -> None:
        """What comes next."""
        self._step = step


def _version(stream: Filter) -> bytes | None:
    version = stream.take(12)
    if version is None:
        return None
    if version not in _VERSIONS:
        raise Unknown("This viewer speaks neither RFB 3.7 nor 3.8.")
    stream.then(_security)
    return version


def _security(stream: Filter) -> bytes | None:
    chosen = stream.take(1)
    if chosen is None:
        return None
    if chosen[0] not in (_NO_PASSWORD, _PASSWORD):
        raise Unknown("This viewer signs in in a way that cannot be followed.")
    stream.then(_password if chosen[0] == _PASSWORD else _init)
    return chosen


def _password(stream: Filter) -> bytes | None:
    response = stream.take(16)
    if response is not None:
        stream.then(_init)
    return response


def _init(stream: Filter) -> bytes | None:
    if stream.take(1) is None:
        return None
    stream.then(_message)
    return b"\x01"  # shared: who only looks does not throw others out


def _message(stream: Filter) -> bytes | None:
    kind = stream.peek(1)
    if kind is None:
        return None
    handle = _MESSAGES.get(kind[0])
    if handle is None:
        raise Unknown(f"This viewer sent a message of the unknown kind {kind[0]}.")
    return handle(stream)


def _passing(length: int) -> Callable[[Filter], bytes | None]:
    return lambda stream: stream.take(length)


def _dropped(length: int) -> Callable[[Filter], bytes | None]:
    return lambda stream: stream.leave_out(length)


def _encodings(stream: Filter) -> bytes | None:
    head = stream.peek(4)
    if head is None:
        return None
    count = struct.unpack(">xxH", head)[0]
    whole = stream.take(4 + 4 * count)
    if whole is None:
        return None
    asked = struct.unpack(f">{count}i", whole[4:])
    kept = [_RAW if each == _EXTENDED_BUTTONS else each for each in asked]
    return head + struct.pack(f">{count}i", *kept)


def _cut_text(stream: Filter) -> bytes | None:
    head = stream.peek(8)
    if head is None:
        return None
    length = struct.unpack(">xxxxi", head)[0]
    return stream.leave_out(8 + abs(length))  # below zero: the extended clipboard


def _fence(stream: Filter) -> bytes | None:
    head = stream.peek(9)
    return None if head is None else stream.take(9 + head[8])


def _desktop_size(stream: Filter) -> bytes | None:
    head = stream.peek(8)
    return None if head is None else stream.leave_out(8 + 16 * head[6])


def _gii(stream: Filter) -> bytes | None:
    head = stream.peek(4)
    if head is None:
        return None
    order = ">" if head[1] & 0x80 else "<"
    return stream.leave_out(4 + struct.unpack(f"{order}xxH", head)[0])


def _qemu(stream: Filter) -> bytes | None:
    head = stream.peek(4)
    if head is None:
        return None
    if head[1] == 0:  # a key with its scan code
        return stream.leave_out(12)
    if head[1] == 1:  # sound: on, off, or which format
        return stream.leave_out(10 if struct.unpack(">xxH", head)[0] == 2 else 4)
    raise Unknown(f"This viewer sent the unknown QEMU message {head[1]}.")


_MESSAGES: dict[int, Callable[[Filter], bytes | None]] = {
    0: _passing(20),  # pixel format
    2: _encodings,
    3: _passing(10),  # a request for a picture
    4: _dropped(8),  # key
    5: _dropped(6),  # pointer
    6: _cut_text,
    150: _passing(10),  # continuous updates
    248: _fence,
    250: _dropped(4),  # xvp: power
    251: _desktop_size,
    253: _gii,
    255: _qemu,
}
