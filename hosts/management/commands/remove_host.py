"""`manage.py remove_host NAME`: forget a host."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from hosts import services
from hosts.models import Host


class Command(BaseCommand):
    """Forgets a host; nothing on it changes, and its guests are kept as gone."""

    help = "Forget a host; nothing on it changes."
    requires_system_checks = ()  # bootstrap has made them; they read every door

    def add_arguments(self, parser: CommandParser) -> None:
        """Which one."""
        parser.add_argument("name")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Remove it, or say that there is none."""
        host = Host.objects.filter(name=options["name"]).first()
        if host is None:
            message = f"There is no host named {options['name']}."
            raise CommandError(message)
        services.remove(host, by=None)
        self.stdout.write(f"{host.name} was removed.")
