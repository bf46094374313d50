"""Hosts: where guests run."""

from django.apps import AppConfig


class HostsConfig(AppConfig):
    """Hosts, their pools and networks, and the watcher."""

    name = "hosts"
