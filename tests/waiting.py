"""Waiting for a condition with a deadline; the only way tests wait."""

import time
from collections.abc import Callable


def until(
    true: Callable[[], object], seconds: float = 60, pause: float = 0.1, why: str = ""
) -> float:
    """Seconds it took to become true. Raises AssertionError after so many."""
    begun = time.monotonic()
    while not true():
        waited = time.monotonic() - begun
        assert waited < seconds, why or f"It did not come true within {seconds:g} s."
        time.sleep(pause)
    return time.monotonic() - begun
