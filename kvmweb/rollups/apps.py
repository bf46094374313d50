"""Rolled-up numbers of guests and hosts."""

from django.apps import AppConfig


class RollupsConfig(AppConfig):
    """What is left of samples once they are an hour old."""

    name = "kvmweb.rollups"
    label = "rollups"
