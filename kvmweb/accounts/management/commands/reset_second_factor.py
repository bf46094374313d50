"""`manage.py reset_second_factor USER`: for an administrator who lost app and keys."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from kvmweb.accounts.models import User
from kvmweb.accounts.second import services
from kvmweb.accounts.services import Asker


class Command(BaseCommand):
    """Takes away somebody's app, passkeys and recovery codes; their sessions end."""

    help = "Takes away somebody's second factor; their sessions end."

    def add_arguments(self, parser: CommandParser) -> None:
        """Whose."""
        parser.add_argument("user")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Do it."""
        user = User.objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"There is no user {options['user']}.")
        services.reset(user, by=Asker(user))
