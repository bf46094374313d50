"""Rows: canaries that are or were out, what each flight proved, and when to fly."""

from django.db import models
from django.utils import timezone


class CanaryResult(models.Model):
    """One move of a canary from one host to another, and what came of it."""

    source = models.ForeignKey(
        "hosts.Host", on_delete=models.CASCADE, related_name="canaries_sent"
    )
    target = models.ForeignKey(
        "hosts.Host", on_delete=models.CASCADE, related_name="canaries_received"
    )
    operation = models.UUIDField(db_index=True)  # the run it was part of
    ok = models.BooleanField()
    seconds = models.FloatField(null=True)  # of the whole move; None: none was begun
    downtime_ms = models.BigIntegerField(null=True)
    rate_bytes_s = models.BigIntegerField(null=True)  # how fast its memory went
    sentence = models.TextField(blank=True, default="")  # what broke
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        app_label = "guests"
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["source", "target", "-at"])]

    def __str__(self) -> str:
        word = "moved" if self.ok else "did not move"
        return f"A canary {word} from {self.source_id} to {self.target_id}"


class Canary(models.Model):
    """A canary that may be somewhere: made before anything of it is, gone after all is.

    Nothing of this UUID becomes a guest: no list shows it, nobody can have it.
    """

    uuid = models.UUIDField(primary_key=True)
    name = models.CharField(max_length=64)
    operation = models.UUIDField(db_index=True)
    hosts = models.JSONField(default=list)  # ids of those that may know anything of it
    made_at = models.DateTimeField(default=timezone.now)

    class Meta:
        app_label = "guests"
        ordering = ["made_at"]

    def __str__(self) -> str:
        return self.name


class CanarySchedule(models.Model):
    """Whether a canary flies each night; one row."""

    enabled = models.BooleanField(default=False)
    hour = models.PositiveSmallIntegerField(default=3)  # UTC
    flown_at = models.DateTimeField(null=True)  # when it last began by itself

    class Meta:
        app_label = "guests"

    def __str__(self) -> str:
        return f"at {self.hour}:00 UTC" if self.enabled else "never by itself"
