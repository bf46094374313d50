"""One WebSocket for live pages."""

from django.apps import AppConfig


class LiveConfig(AppConfig):
    """Topics and news."""

    name = "kvmweb.live"
    label = "live"
