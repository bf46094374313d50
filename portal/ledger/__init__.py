"""What each project may take up, and what it does: counted from rows, never from hosts."""
