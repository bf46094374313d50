"""Creating guests: what is wanted, where it fits, what is made of it."""
