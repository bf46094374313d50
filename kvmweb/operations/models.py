"""Rows: operations, their logs, and the keys that make a POST safe to repeat."""

from uuid import uuid4

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone


class Operation(models.Model):
    """Something a person asked for: queue entry, lock, progress and record in one.

    Knows its guest and host only by id and by the names they had when asked.
    """

    class State(models.TextChoices):
        """queued → running → one of the last three."""

        QUEUED = "queued"
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        CANCELLED = "cancelled"

    ACTIVE = (State.QUEUED, State.RUNNING)

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    kind = models.CharField(max_length=64)  # "guest.start"
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    progress = models.FloatField(default=0)  # 0..1, never runs backwards
    phase = models.CharField(max_length=200, blank=True, default="")
    guest = models.UUIDField(null=True, db_index=True)
    guest_name = models.CharField(max_length=255, blank=True, default="")
    host = models.BigIntegerField(null=True, db_index=True)
    host_name = models.CharField(max_length=255, blank=True, default="")
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    author = models.CharField(max_length=150, default="")  # a name: outlives the user
    address = models.CharField(max_length=45, blank=True, default="")  # who asked, from
    parent = models.ForeignKey(
        "self", null=True, on_delete=models.CASCADE, related_name="children"
    )
    cancellable = models.BooleanField(default=False)  # also while it runs
    params = models.JSONField(default=dict)  # never secrets
    result = models.JSONField(default=dict)
    message = models.TextField(blank=True, default="")  # the sentence at the end
    error_code = models.CharField(max_length=64, blank=True, default="")
    error_message = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)  # not begun by then: it never runs
    worker = models.CharField(max_length=100, blank=True, default="")
    lease_until = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    cancel_requested_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["state", "lease_until"]),
            models.Index(fields=["-created_at"]),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["guest"],
                condition=models.Q(state__in=["queued", "running"]),
                name="one_active_operation_a_guest",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.guest_name or self.host_name} ({self.state})"

    def get_absolute_url(self) -> str:
        """Its page."""
        return reverse("operation", args=[self.pk])

    @property
    def active(self) -> bool:
        """Whether it is still to end."""
        return self.state in self.ACTIVE

    @property
    def subject(self) -> str:
        """What it is done to, by the name it had: a guest, a host, or the kind itself."""
        return self.guest_name or self.host_name or self.kind

    @property
    def took_s(self) -> float | None:
        """Seconds from its beginning to its end, None when it never began or still runs."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()


class LogLine(models.Model):
    """What an operation did, step by step."""

    operation = models.ForeignKey(
        Operation, on_delete=models.CASCADE, related_name="log"
    )
    at = models.DateTimeField(default=timezone.now, editable=False)
    message = models.TextField()

    class Meta:
        ordering = ["at", "id"]

    def __str__(self) -> str:
        return self.message


class IdempotencyKey(models.Model):
    """A POST that was answered: the same key gets the same answer, once a user."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+"
    )
    key = models.CharField(max_length=200)
    request_digest = models.CharField(max_length=64)  # method, path and body
    status = models.PositiveSmallIntegerField(null=True)  # None: still being answered
    body = models.JSONField(null=True)
    location = models.CharField(max_length=300, blank=True, default="")
    at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        ordering = ["-at"]
        constraints = [
            models.UniqueConstraint(fields=["user", "key"], name="one_answer_a_key")
        ]

    def __str__(self) -> str:
        return self.key
