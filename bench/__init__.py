"""Measurements of the running product against the plain tool, in the same run."""
