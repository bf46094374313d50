"""Snapshots of guests: made, seen, gone back to, deleted."""
