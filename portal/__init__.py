"""Self-service: what people may take up, what they ask for, and for how long."""
