"""Who may only look: pictures are asked for, nothing else of the client gets through."""

import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as some

from guests.viewonly import Filter, Unknown

VERSION = b"RFB 003.008\n"

whole_byte = some.integers(0, 255)
coordinate = some.integers(0, 65535)


def _passing() -> some.SearchStrategy[bytes]:
    numbers = some.integers(-(2**31), 2**31 - 1).filter(lambda n: n != -316)
    encodings = some.lists(numbers, max_size=20).map(
        lambda asked: struct.pack(f">BxH{len(asked)}i", 2, len(asked), *asked)
    )
    update = some.tuples(coordinate, coordinate, coordinate, coordinate).map(
        lambda place: struct.pack(">BBHHHH", 3, 1, *place)
    )
    fence = some.binary(max_size=64).map(
        lambda said: struct.pack(">BxxxIB", 248, 0, len(said)) + said
    )
    return some.one_of(
        some.binary(min_size=19, max_size=19).map(lambda rest: b"\0" + rest),
        encodings,
        update,
        fence,
        some.binary(min_size=9, max_size=9).map(lambda rest: b"\x96" + rest),
    )


def _held_back() -> some.SearchStrategy[bytes]:
    text = some.binary(max_size=300)
    return some.one_of(
        some.tuples(some.integers(0, 1), some.integers(0, 2**32 - 1)).map(
            lambda key: struct.pack(">BBxxI", 4, *key)
        ),
        some.tuples(whole_byte, coordinate, coordinate).map(
            lambda place: struct.pack(">BBHH", 5, *place)
        ),
        text.map(lambda said: struct.pack(">Bxxxi", 6, len(said)) + said),
        text.map(lambda said: struct.pack(">Bxxxi", 6, -len(said)) + said),
        whole_byte.map(lambda code: bytes([250, 0, 1, code])),
        some.integers(0, 5).map(
            lambda count: struct.pack(">BxHHBx", 251, 8, 8, count) + bytes(16 * count)
        ),
        text.map(lambda said: struct.pack(">BBH", 253, 0x80, len(said)) + said),
        text.map(lambda said: struct.pack("<BBH", 253, 0x01, len(said)) + said),
        some.binary(min_size=10, max_size=10).map(lambda rest: b"\xff\0" + rest),
        some.just(b"\xff\x01\0\0"),
        some.just(b"\xff\x01\0\x02" + bytes(6)),
    )


def _pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in itertools.pairwise(places)]


@given(
    messages=some.lists(
        some.one_of(
            _passing().map(lambda said: (said, True)),
            _held_back().map(lambda said: (said, False)),
        ),
        max_size=30,
    ),
    cuts=some.lists(some.integers(0, 10_000), max_size=40),
    password=some.one_of(some.none(), some.binary(min_size=16, max_size=16)),
    shared=some.integers(0, 1),
)
def test_only_pictures_are_asked_for_however_it_is_cut(
    messages: list[tuple[bytes, bool]],
    cuts: list[int],
    password: bytes | None,
    shared: int,
) -> None:
    hello = VERSION + (b"\x01" if password is None else b"\x02" + password)
    said = hello + bytes([shared]) + b"".join(part for part, _ in messages)
    stream = Filter()
    passed = b"".join(stream.feed(piece) for piece in _pieces(said, cuts))
    wanted = b"".join(part for part, passes in messages if passes)
    assert passed == hello + b"\x01" + wanted


@given(data=some.binary(max_size=400), cuts=some.lists(some.integers(0, 400)))
def test_whatever_comes_the_pieces_make_no_difference(
    data: bytes, cuts: list[int]
) -> None:
    assert _through(VERSION + b"\x01\x01" + data, []) == _through(
        VERSION + b"\x01\x01" + data, cuts
    )


def test_the_length_of_pointer_messages_never_depends_on_the_server() -> None:
    stream = Filter()
    stream.feed(VERSION + b"\x01\x01")
    asked = struct.pack(">BxH3i", 2, 3, 7, -316, -258)
    assert stream.feed(asked) == struct.pack(">BxH3i", 2, 3, 7, 0, -258)


@pytest.mark.parametrize(
    "said",
    [
        b"RFB 003.003\n",
        b"GET / HTTP/1.1\r\n",
        VERSION + b"\x13",  # VeNCrypt: nobody could look into it
        VERSION + b"\x01\x01\x07",
        VERSION + b"\x01\x01\xff\x02\0\0",
    ],
)
def test_what_it_does_not_know_ends_the_session(said: bytes) -> None:
    with pytest.raises(Unknown):
        Filter().feed(said)


def test_a_huge_clipboard_is_not_kept() -> None:
    stream = Filter()
    stream.feed(VERSION + b"\x01\x01" + struct.pack(">Bxxxi", 6, 2**31 - 1))
    for _ in range(100):
        assert stream.feed(bytes(100_000)) == b""
    assert len(stream._held) == 0


def _through(data: bytes, cuts: list[int]) -> tuple[bytes, bool]:
    stream, passed = Filter(), b""
    for piece in _pieces(data, cuts):
        try:
            passed += stream.feed(piece)
        except Unknown:
            return b"", True
    return passed, False
