"""Operations: queue, lock, progress and record in one row."""

from importlib import import_module

from django.apps import AppConfig


class OperationsConfig(AppConfig):
    """What people asked hosts to do."""

    name = "kvmweb.operations"
    label = "operations"

    def ready(self) -> None:
        """Let live pages listen."""
        import_module("kvmweb.operations.topics")
