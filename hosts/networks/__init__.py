"""Networks of hosts: made, changed, removed, and what they give out."""
