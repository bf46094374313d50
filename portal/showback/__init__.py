"""Showback: what projects had, for how long, and what that comes to."""
