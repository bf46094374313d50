"""What people ask for: machines, larger ones, more time; and what was decided about it."""
