"""The second factor: codes of an app, passkeys, recovery codes."""
