"""Sizes as people type them, and the best processor that all hosts have. Pure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guests.creation import amounts
from guests.creation.baseline import Processor, best_of_all
from kvmweb.errors import Conflict, Invalid


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("4 GiB", 4 * 1024**3),
        ("4", 4 * 1024**3),
        (" 512m ", 512 * 1024**2),
        ("1.5 TiB", 3 * 1024**4 // 2),
        ("1,5 GiB", 3 * 1024**3 // 2),
        ("2 GB", 2 * 10**9),
        ("2048 KiB", 2 * 1024**2),
        ("65536 B", 65536),
        ("10g", 10 * 1024**3),
    ],
)
def test_a_size_is_understood(typed: str, meant: int) -> None:
    assert amounts.bytes_of(typed) == meant


@pytest.mark.parametrize("typed", ["", "a lot", "-4 GiB", "4 Gigs", "1e9", "4 iB", "٤"])
def test_what_is_no_size_is_said_so(typed: str) -> None:
    with pytest.raises(Invalid, match="is no size"):
        amounts.bytes_of(typed)


@given(st.integers(1, 2**53))
def test_what_is_shown_is_understood_again(count: int) -> None:
    assert amounts.bytes_of(amounts.words_of(count)) == count


def processor(host: str, *models: str) -> Processor:
    """A host whose own is the first."""
    return Processor(host, models[0], frozenset(models))


def test_the_best_that_all_have_is_taken() -> None:
    new = processor("a", "Skylake-Server-IBRS", "Haswell-noTSX", "Nehalem", "qemu64")
    old = processor("b", "Haswell-noTSX", "Nehalem", "qemu64")
    assert best_of_all([new, old]) == "Haswell-noTSX"
    amd = processor("c", "EPYC-Rome", "EPYC", "Nehalem", "qemu64")
    assert best_of_all([new, old, amd]) == "Nehalem"


def test_of_variants_the_one_that_is_a_hosts_own_is_taken() -> None:
    one = processor("a", "Haswell-IBRS", "Haswell", "Haswell-noTSX")
    assert best_of_all([one]) == "Haswell-IBRS"


def test_hosts_that_did_not_say_or_have_nothing_in_common_are_named() -> None:
    with pytest.raises(Conflict, match="quiet did not say"):
        best_of_all([processor("a", "EPYC"), Processor("quiet", "", frozenset())])
    with pytest.raises(Conflict, match="all of a, b have"):
        best_of_all([processor("a", "EPYC"), processor("b", "Haswell")])
    with pytest.raises(Conflict, match="No host"):
        best_of_all([])
