"""Projects: who is in them, what they may take up, and what they may use."""
