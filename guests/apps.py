"""Guests: what runs."""

from importlib import import_module

from django.apps import AppConfig


class GuestsConfig(AppConfig):
    """Guests, their history and their screens."""

    name = "guests"

    def ready(self) -> None:
        """Plug in: what is done to guests, what is heard of them, who listens."""
        for room in (
            *("work", "labelling_work", "facts", "topics", "metrics"),
            *("networks", "using"),
        ):
            import_module(f"guests.{room}")
        for room in ("work", "disk_work", "nic_work", "device_work", "version_work"):
            import_module(f"guests.hardware.{room}")
        for part in ("creation.work", "creation.tasks"):
            import_module(f"guests.{part}")
        for part in ("images.work", "images.users", "images.tasks"):
            import_module(f"guests.{part}")
        for part in ("inside.work", "inside.tasks"):
            import_module(f"guests.{part}")
        for part in ("snapshots.work", "snapshots.facts"):
            import_module(f"guests.{part}")
        for part in ("cloning.work", "cloning.tasks"):
            import_module(f"guests.{part}")
        import_module("guests.migration.work")
        import_module("guests.migration.settling")
        import_module("guests.canary.work")
        import_module("guests.canary.tasks")
        import_module("guests.migration.check_work")
        import_module("guests.migration.check_tasks")
        import_module("guests.balance.facts")
        import_module("guests.balance.tasks")
        import_module("guests.folders.ledger")
        import_module("guests.draining.leading")
        import_module("guests.draining.services")
