"""A client's view of a guest's downtime: its address, asked every 20 ms."""

import socket
import time
from collections.abc import Iterator
from uuid import uuid4

import pytest

from guests.models import Guest
from guests.proof import means
from guests.proof.probing import Gaps
from guests.proof.watching import address_of, believed, watch
from hosts.models import Host, Network

NOBODY = "100::1"  # the discard prefix: nothing is ever there


def test_an_address_that_answers_all_the_time_has_no_gap_worth_the_name() -> None:
    with watch("127.0.0.1") as seen:
        time.sleep(0.6)

    assert seen.means == "icmp"
    assert seen.answers > 5
    assert seen.longest_gap_ms is not None
    assert seen.longest_gap_ms < 200


@pytest.mark.parametrize("address", ["", "no address", NOBODY])
def test_where_nothing_answers_there_is_no_gap_to_speak_of(address: str) -> None:
    begun = time.monotonic()

    with watch(address) as seen:
        time.sleep(0.3)

    assert seen.longest_gap_ms is None
    assert not seen.answers
    assert time.monotonic() - begun < 3


def test_what_goes_wrong_in_the_block_is_not_held_up_by_the_watching() -> None:
    with pytest.raises(RuntimeError, match="the move broke"), watch("127.0.0.1"):
        raise RuntimeError("the move broke")


def test_the_gap_is_the_longest_time_between_a_question_and_the_next_answer() -> None:
    gaps = Gaps()
    gaps.asked(0.0)
    gaps.answered(0.001)
    for number in range(1, 12):  # nobody answers these
        gaps.asked(number * 0.02)
    gaps.answered(0.25)
    gaps.asked(0.26)
    gaps.answered(0.262)

    assert gaps.longest_s == pytest.approx(0.23)


def test_what_was_silent_before_its_first_answer_counts_for_nothing() -> None:
    gaps = Gaps()
    gaps.asked(0.0)
    gaps.asked(5.0)
    gaps.answered(5.001)

    assert gaps.longest_s == 0


def test_our_own_pause_is_no_silence_of_the_guest() -> None:
    gaps = Gaps()
    gaps.asked(0.0)
    gaps.answered(0.001)
    gaps.asked(3.0)  # this process did not run for three seconds
    gaps.answered(3.001)

    assert gaps.longest_s == pytest.approx(0.001)


def test_a_silence_that_lasts_to_the_end_counts_as_long_as_it_was_seen() -> None:
    gaps = Gaps()
    gaps.asked(0.0)
    gaps.answered(0.001)
    gaps.asked(0.02)
    gaps.ended(1.02)

    assert gaps.longest_s == pytest.approx(1.0)


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("is_open", [True, False])
def test_a_connection_let_in_or_refused_is_an_answer(
    monkeypatch: pytest.MonkeyPatch, listening: int, is_open: bool
) -> None:
    if is_open:
        monkeypatch.setattr(means, "_CLOSED_PORT", listening)
    way = means.Tcp("127.0.0.1")
    way.ask()
    time.sleep(0.05)

    assert way.answered()
    assert not way.sockets()


@pytest.mark.django_db
def test_a_guest_is_asked_where_a_client_would_ask_it() -> None:
    def asked(addresses: str) -> str:
        guest = Guest.objects.create(uuid=uuid4(), addresses=addresses)
        return address_of(guest.pk)

    assert asked(" fe80::1 2001:db8::5 127.0.0.1 10.0.0.5 ") == "10.0.0.5"
    assert asked(" fe80::1 nonsense ") == ""
    assert address_of(uuid4()) == ""


@pytest.mark.django_db
def test_an_address_that_its_host_hides_is_asked_by_nobody() -> None:
    host = Host.objects.create(name="kvm1")
    for name, mode in (("default", "nat"), ("office", "bridge")):
        Network.objects.create(
            host=host,
            uuid=uuid4(),
            name=name,
            mode=mode,
            active=True,
            autostart=True,
            persistent=True,
        )
    nics = [
        {"network": "default", "addresses": [{"address": "192.168.122.85"}]},
        {"network": "office", "addresses": [{"address": "192.168.200.7"}]},
    ]

    def asked(count: int, addresses: str) -> str:
        guest = Guest.objects.create(
            uuid=uuid4(), host=host, addresses=addresses, nics=nics[:count]
        )
        return address_of(guest.pk)

    assert asked(1, " 192.168.122.85 ") == ""
    assert asked(2, " 192.168.122.85 192.168.200.7 ") == "192.168.200.7"


@pytest.mark.parametrize(
    ("seen", "stood", "wanted"),
    [(140, 100, 140), (90, 100, 90), (21, 500, None), (21, None, 21), (None, 9, None)],
)
def test_what_answers_while_the_guest_stands_still_is_somebody_else(
    seen: int | None, stood: int | None, wanted: int | None
) -> None:
    assert believed(seen, stood) == wanted
