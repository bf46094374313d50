"""A fleet of rows, for tests of many moves."""

from tests.guests.fleet import arrives, fleet, runs

__all__ = ["arrives", "fleet", "runs"]
