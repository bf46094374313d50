"""Guests: what runs."""

from django.apps import AppConfig


class GuestsConfig(AppConfig):
    """Guests, their history and their screens."""

    name = "guests"
