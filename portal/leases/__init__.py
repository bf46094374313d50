"""How long guests are lent: reminded of, stopped, kept for a while, and deleted."""
