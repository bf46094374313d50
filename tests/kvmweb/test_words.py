"""How numbers, times and states read."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from kvmweb.templatetags import words


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (None, "–"),
        ("", "–"),  # what a template says of a name it does not know
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (1610612736, "1.5 GiB"),
        (1024**2 - 1, "1 MiB"),
        (229 * 1024**3, "229 GiB"),
        (5 * 1024**7, "5120 EiB"),
    ],
)
def test_sizes_are_in_binary_units(count: float | str | None, said: str) -> None:
    assert words.bytes_(count) == said


def test_disks_are_in_bytes_and_networks_in_bits() -> None:
    assert words.rate(2048.0) == "2 KiB/s"
    assert words.bits(125_000.0) == "1 Mbit/s"


@pytest.mark.parametrize(
    ("number", "said"),
    [(None, "–"), (0, "0 %"), (0.04, "0.0 %"), (9.94, "9.9 %"), (37.4, "37 %")],
)
def test_small_percents_keep_a_digit(number: float | None, said: str) -> None:
    assert words.percent(number) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(None, "–"), (0, "0 s"), (59, "59 s"), (3600, "1 h"), (93784, "1 d 2 h")],
)
def test_durations_are_their_two_largest_units(
    seconds: float | None, said: str
) -> None:
    assert words.duration(seconds) == said


def test_an_age_carries_the_exact_time() -> None:
    at = timezone.now() - timedelta(minutes=2, seconds=1)
    said = words.ago(at)
    assert ">2 min ago</time>" in said
    assert f'title="{at:%Y-%m-%d %H:%M:%S} UTC"' in said


def test_a_moment_is_written_as_news_write_it() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    assert 'datetime="2026-01-02T03:04:05.678Z"' in words.moment(at)


def test_a_state_has_shape_colour_and_word() -> None:
    said = words.state("shutoff")
    assert 'data-state="shutoff"' in said
    assert "icons.svg#state-shutoff" in said
    assert "<span>off</span>" in said


def test_an_address_of_an_agent_stays_text() -> None:
    assert "<b>" not in words.addresses('"><b>x</b>')


@pytest.mark.parametrize(
    ("number", "width", "level"),
    [(None, 0, "none"), (37.4, 37, "normal"), (250, 100, "high")],
)
def test_a_bar_never_leaves_its_frame(
    number: float | None, width: int, level: str
) -> None:
    said = words.bar(number)
    assert f'width="{width}"' in said
    assert f'data-level="{level}"' in said


def test_a_sentence_begins_with_a_capital_but_a_name_stays_as_it_is() -> None:
    assert words.sentence("memory 4 → 8 GiB") == "Memory 4 → 8 GiB"
    assert words.sentence("vCPUs 1 → 2") == "vCPUs 1 → 2"
    assert words.sentence("") == ""


def test_one_thing_is_no_things() -> None:
    assert words.counted(1, "images") == "1 image"
    assert words.counted(2, "images") == "2 images"
