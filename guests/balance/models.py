"""Rows: where guests with a tag belong, how they fare, and what runs by itself."""

from django.conf import settings
from django.db import models
from django.utils import timezone


class PlacementRule(models.Model):
    """Where guests with a tag belong: apart, together, or on hosts with a tag."""

    class Kind(models.TextChoices):
        """What is asked of those with the tag."""

        APART = "apart", "stay apart"
        TOGETHER = "together", "stay together"
        ON = "on", "stay on hosts with the tag"

    tag = models.CharField(max_length=40)
    kind = models.CharField(max_length=8, choices=Kind)
    must = models.BooleanField(default=True)  # else it is only liked
    host_tag = models.CharField(max_length=40, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        app_label = "guests"
        ordering = ["tag", "kind"]
        constraints = [
            models.UniqueConstraint(
                fields=["tag", "kind", "host_tag"], name="one_rule_a_tag_and_kind"
            )
        ]

    def __str__(self) -> str:
        return f"{self.tag}: {self.kind} {self.host_tag}".strip()


class Strain(models.Model):
    """How much a guest waited for CPUs lately. All facts."""

    guest = models.UUIDField(primary_key=True)
    delay_percent = models.FloatField()  # of the time: ready to run, and no CPU free
    wait_percent = models.FloatField()  # waited for disks and for events, idle too
    at = models.DateTimeField(db_index=True)

    class Meta:
        app_label = "guests"
        ordering = ["guest"]

    def __str__(self) -> str:
        return f"{self.guest}: {self.delay_percent:.1f} %"


class Autopilot(models.Model):
    """Balancing by itself: off unless somebody switched it on, for a tag or for all."""

    tag = models.CharField(max_length=40, blank=True, default="", unique=True)
    enabled = models.BooleanField(default=False)
    threshold_percent = models.PositiveSmallIntegerField(default=10)  # gained at least
    hold_s = models.PositiveIntegerField(default=600)  # it lasts so long before a move
    cool_down_s = models.PositiveIntegerField(default=3600)  # and then nothing for this
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    over_since = models.DateTimeField(null=True)  # a gain above the threshold is seen
    ran_at = models.DateTimeField(null=True)
    said = models.TextField(blank=True, default="")  # what it found last

    class Meta:
        app_label = "guests"
        ordering = ["tag"]

    def __str__(self) -> str:
        return self.tag or "all guests"
