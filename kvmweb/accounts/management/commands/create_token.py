"""`manage.py create_token USER`: one new API token, and nothing else, on stdout."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from kvmweb.accounts import queries, tokens
from kvmweb.accounts.models import Token
from kvmweb.accounts.services import Asker
from kvmweb.errors import AppError


class Command(BaseCommand):
    """Make an API token for somebody."""

    help = "Make an API token for a user and print it."
    requires_system_checks = ()  # bootstrap has made them; they read every door

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Whose, what for, how long."""
        parser.add_argument("user")
        parser.add_argument("--name", default="made on the command line")
        parser.add_argument("--scope", choices=Token.Scope.values, default="write")
        parser.add_argument("--days", type=int, help="Ends after; without it never.")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print it. Raises CommandError when there is no such active user."""
        user = queries.people().filter(username=options["user"], is_active=True).first()
        if user is None:
            raise CommandError(f"There is no active user {options['user']}.")
        days: int | None = options["days"]
        try:
            _, secret = tokens.make(
                user,
                options["name"],
                scope=options["scope"],
                expires_at=None
                if days is None
                else timezone.now() + timedelta(days=days),
                by=Asker(user),
            )
        except (AppError, OverflowError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(secret.text)
