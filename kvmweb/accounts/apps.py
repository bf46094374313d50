"""People, their rights, and the record of what they did."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """User, roles, tokens, audit, sign-in."""

    name = "kvmweb.accounts"
    label = "accounts"
