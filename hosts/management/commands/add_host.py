"""`manage.py add_host NAME --transport tcp --address kvm1`: add a host."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from hosts import services
from hosts.models import Host
from hosts.wishes import Wish
from kvmweb.errors import AppError
from kvmweb.virt.types import Address, Transport


class Command(BaseCommand):
    """Adds a host, also while the product runs; its watcher connects within a second."""

    help = "Add a host; the watcher connects to it, and a check of it is under way."
    requires_system_checks = ()  # bootstrap has made them; they read every door

    def add_arguments(self, parser: CommandParser) -> None:
        """The parts of a host. Secrets are entered on its page or by the API."""
        parser.add_argument("name")
        parser.add_argument(
            "--transport", choices=[each.value for each in Transport], required=True
        )
        parser.add_argument("--address", default="")
        parser.add_argument("--port", type=int)
        parser.add_argument("--username", default="")
        parser.add_argument("--socket-path", default="")
        parser.add_argument(
            "--virt-type",
            choices=Host.VirtType.values,
            default=Host.VirtType.AUTO.value,
        )
        parser.add_argument("--migration-address", default="")
        parser.add_argument("--tags", nargs="*", default=[])

    def handle(self, *_args: Any, **options: Any) -> None:
        """Add it, or say why not."""
        address = Address(
            Transport(options["transport"]),
            host=options["address"],
            port=options["port"],
            username=options["username"],
            socket_path=options["socket_path"],
        )
        wish = Wish(
            options["name"],
            address,
            migration_address=options["migration_address"],
            virt_type=options["virt_type"],
            tags=tuple(options["tags"]),
        )
        try:
            host = services.add(wish, by=None)
        except AppError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{host.name} is being connected.")
