"""Operations: queue, lock, progress and record in one row."""

from django.apps import AppConfig


class OperationsConfig(AppConfig):
    """What people asked hosts to do."""

    name = "kvmweb.operations"
    label = "operations"
