"""Waiting for a condition with a deadline; the only way tests wait."""

import time
from collections.abc import Callable

_FIRST_S, _LONGEST_S = 0.1, 0.5


def until(
    true: Callable[[], object],
    seconds: float = 60,
    pause: float | None = None,
    why: str = "",
) -> float:
    """Seconds it took to become true. Raises AssertionError after so many.

    Asked again after `pause`, else less and less often: who asks takes the CPU away
    from what is waited for.
    """
    begun = time.monotonic()
    wait_s = pause or _FIRST_S
    while not true():
        waited = time.monotonic() - begun
        assert waited < seconds, why or f"It did not come true within {seconds:g} s."
        time.sleep(wait_s)
        wait_s = pause or min(wait_s * 1.3, _LONGEST_S)
    return time.monotonic() - begun
