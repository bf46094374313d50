"""Rows: what agents told, and the secrets that wait for their operation."""

from django.db import models
from django.utils import timezone

from kvmweb.operations.models import Operation


class InsideReport(models.Model):
    """What a guest's agent told when it was last asked. The guest may have lied."""

    guest = models.OneToOneField(
        "guests.Guest",
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="inside",
    )
    at = models.DateTimeField(default=timezone.now)
    told = models.JSONField(default=dict)  # InsideFacts as an object

    class Meta:
        app_label = "guests"
        ordering = ["-at"]

    def __str__(self) -> str:
        return f"{self.guest_id} from inside"


class SealedWords(models.Model):
    """What an operation must know and nobody else: encrypted, and gone when it ends."""

    operation = models.OneToOneField(
        Operation, on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    sealed = models.TextField()

    class Meta:
        app_label = "guests"
        ordering = ["operation"]

    def __str__(self) -> str:
        return f"words for {self.operation_id}"
