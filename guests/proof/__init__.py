"""What moves cost, as it was seen: a client's view, pages and a report."""
