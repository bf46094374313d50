"""The watcher: owns the connection to each host, and hands what it hears to recorders."""
