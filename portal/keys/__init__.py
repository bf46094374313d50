"""SSH keys that people keep in their profile, to have them in new machines."""
