"""Emptying hosts and bringing guests home: rehearsed, then done a few at a time."""
