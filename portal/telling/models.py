"""Rows: what people were told, what is on its way to them, and what they chose."""

from uuid import uuid4

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone

from portal.telling.events import Way


class Told(models.Model):
    """The words of one message, as they were when it happened."""

    event = models.CharField(max_length=64)
    title = models.CharField(max_length=200)
    text = models.TextField(blank=True, default="")
    page = models.CharField(max_length=300, blank=True, default="")  # "/requests/5/"
    data = models.JSONField(default=dict)  # for programs
    at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.title


class Notice(Told):
    """What somebody is told on the page, below the bell."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notices"
    )
    read_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "portal"
        ordering = ["-at", "-pk"]
        indexes = [
            models.Index(fields=["user", "-at"]),
            models.Index(fields=["user", "read_at"]),
        ]


class Webhook(models.Model):
    """An address that is called: somebody's own, or for whatever happens to anybody."""

    user = models.ForeignKey(  # None: the administrators', who hear of everything
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.CASCADE,
        related_name="webhooks",
    )
    name = models.CharField(max_length=100)
    place = models.CharField(max_length=300)  # what may be shown: https://host
    sealed_url = models.TextField()  # for many the address itself is the key
    sealed_secret = models.TextField()
    events = models.JSONField(default=list, blank=True)  # words; none: all of them
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    answered_at = models.DateTimeField(null=True)  # last time that it took something
    failing_since = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0)  # one after the other
    not_before = models.DateTimeField(null=True)  # after a failure: left alone until
    off_reason = models.TextField(blank=True, default="")  # not by a person's wish

    class Meta:
        app_label = "portal"
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Its page."""
        return reverse("webhook", args=[self.pk])


class Delivery(Told):
    """One message on one way to one address: the row is the queue, and the log."""

    class State(models.TextChoices):
        """waiting → one of the others."""

        WAITING = "waiting"
        SENT = "sent"
        FAILED = "failed"
        CANCELLED = "cancelled"

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    way = models.CharField(max_length=8, choices=[(way, way) for way in Way])
    user = models.ForeignKey(  # who is written to, or whose webhook it is
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.CASCADE,
        related_name="deliveries",
    )
    webhook = models.ForeignKey(
        Webhook, null=True, on_delete=models.CASCADE, related_name="deliveries"
    )
    state = models.CharField(max_length=9, choices=State, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(default=timezone.now)
    lease_until = models.DateTimeField(null=True)  # somebody sends it now
    ended_at = models.DateTimeField(null=True)
    answer_code = models.PositiveSmallIntegerField(null=True)
    took_ms = models.PositiveIntegerField(null=True)
    said = models.TextField(blank=True, default="")  # why it did not get through

    class Meta:
        app_label = "portal"
        ordering = ["-at", "pk"]
        indexes = [
            models.Index(fields=["state", "way", "next_at"]),
            models.Index(fields=["webhook", "-at"]),
        ]


class Choice(models.Model):
    """That somebody wants to hear of something this way, or not; none: as usual."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+"
    )
    event = models.CharField(max_length=64)
    way = models.CharField(max_length=8, choices=[(way, way) for way in Way])
    wanted = models.BooleanField()

    class Meta:
        app_label = "portal"
        ordering = ["event", "way"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "event", "way"], name="one_choice_an_event_and_way"
            )
        ]

    def __str__(self) -> str:
        return f"{self.event} by {self.way}: {self.wanted}"
