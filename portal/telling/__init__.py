"""Telling people: on the page, by mail, by webhook, as each of them chose."""
