"""One WebSocket for live pages."""

from importlib import import_module

from django.apps import AppConfig


class LiveConfig(AppConfig):
    """Topics and news."""

    name = "kvmweb.live"
    label = "live"

    def ready(self) -> None:
        """Plug in: sockets ask again when somebody's rights change."""
        import_module("kvmweb.live.rights")
