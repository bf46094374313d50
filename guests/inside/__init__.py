"""A guest from inside: what its agent tells, and what can be asked of it."""
