"""People, their rights, and the record of what they did."""

from importlib import import_module

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """User, roles, tokens, audit, sign-in."""

    name = "kvmweb.accounts"
    label = "accounts"

    def ready(self) -> None:
        """Register the checks: every door declares a right, every setting is read."""
        import_module("kvmweb.accounts.routes")
        import_module("kvmweb.accounts.outside.checks")
