"""Numbers over time in the database: minutes for a week, hours for a year."""
