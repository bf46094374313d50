"""Self-service."""

from importlib import import_module

from django.apps import AppConfig


class PortalConfig(AppConfig):
    """Projects' quotas, flavors, requests, leases, and telling people."""

    name = "portal"

    def ready(self) -> None:
        """Plug in: what a guest of a project takes up."""
        import_module("portal.ledger.charging")
        import_module("portal.ledger.tasks")
        import_module("portal.requests.leading")
        import_module("portal.requests.topics")
        import_module("portal.leases.plug")
        import_module("portal.leases.tasks")
        import_module("portal.showback.tasks")
        import_module("portal.telling.tasks")
        import_module("portal.telling.topics")
        import_module("portal.projects.topics")
