"""Rows: the moves of guests, each as it was foretold and as it came out."""

from django.db import models
from django.utils import timezone


class Move(models.Model):
    """One move that was begun. No fact: it is our own record, kept when hosts go."""

    class Mode(models.TextChoices):
        """Whether the guest ran on the way."""

        LIVE = "live"
        OFFLINE = "offline"

    class Storage(models.TextChoices):
        """What became of its disks; none: it has none that hold anything."""

        SHARED = "shared"
        COPY = "copy"
        NONE = "none"

    class Outcome(models.TextChoices):
        """How it ended; "" while it is under way."""

        SUCCEEDED = "succeeded"
        FAILED = "failed"
        CANCELLED = "cancelled"
        UNKNOWN = "unknown"  # not both hosts have said yet what came true

    operation = models.UUIDField(unique=True)
    guest = models.UUIDField(db_index=True)
    guest_name = models.CharField(max_length=255)
    source = models.ForeignKey(
        "hosts.Host", null=True, on_delete=models.SET_NULL, related_name="moves_away"
    )
    source_name = models.CharField(max_length=255)
    target = models.ForeignKey(
        "hosts.Host", null=True, on_delete=models.SET_NULL, related_name="moves_here"
    )
    target_name = models.CharField(max_length=255)
    mode = models.CharField(max_length=7, choices=Mode)
    storage = models.CharField(max_length=6, choices=Storage)
    policy = models.CharField(max_length=32, blank=True, default="")
    memory_bytes = models.BigIntegerField(default=0)
    predicted = models.JSONField(default=dict)  # seconds, downtime_ms, bytes, converges
    total_ms = models.BigIntegerField(null=True)
    downtime_ms = models.BigIntegerField(null=True)  # as libvirt on the target says
    seen_downtime_ms = models.BigIntegerField(null=True)  # as a client of the guest saw
    transferred_bytes = models.BigIntegerField(null=True)
    memory_rate_bytes_s = models.BigIntegerField(null=True)
    dirty_bytes_s = models.BigIntegerField(null=True)
    iterations = models.IntegerField(null=True)
    outcome = models.CharField(
        max_length=9, choices=Outcome, blank=True, default="", db_index=True
    )
    sentence = models.TextField(blank=True, default="")
    started_at = models.DateTimeField(default=timezone.now, db_index=True)
    finished_at = models.DateTimeField(null=True)
    # Its end is to be looked for once more, on both hosts: see guests.migration.settling.
    open = models.BooleanField(default=False, db_index=True)
    encrypted = models.BooleanField(
        null=True
    )  # its memory on the wire; None: none sent
    drain = models.UUIDField(null=True, db_index=True)  # the operation it is part of
    canary = models.BooleanField(default=False)

    class Meta:
        app_label = "guests"
        ordering = ["-started_at", "-id"]
        indexes = [
            models.Index(fields=["guest", "-started_at"]),
            models.Index(fields=["source", "target", "-started_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.guest_name}: {self.source_name} to {self.target_name}"
