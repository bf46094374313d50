"""Rows: what a project may take up, and each thing that takes it."""

from django.core.validators import MinValueValidator
from django.db import models
from django.utils import timezone

from kvmweb.accounts.models import Project
from portal.ledger.amounts import Amounts, Limits


def _limit() -> "models.BigIntegerField[int | None, int | None]":
    return models.BigIntegerField(
        null=True, blank=True, validators=[MinValueValidator(0)]
    )


class Quota(models.Model):
    """The most a project may have, and one guest of it. Whoever charges locks this row."""

    project = models.OneToOneField(
        Project, on_delete=models.CASCADE, primary_key=True, related_name="quota"
    )
    guests = _limit()
    vcpus = _limit()
    memory_bytes = _limit()
    disk_bytes = _limit()
    guest_vcpus = _limit()
    guest_memory_bytes = _limit()
    guest_disk_bytes = _limit()
    snapshots = _limit()  # of one guest

    class Meta:
        app_label = "portal"
        ordering = ["project"]

    def __str__(self) -> str:
        return f"quota of {self.project}"

    @property
    def limits(self) -> Limits:
        """Of all guests together."""
        return Limits(self.guests, self.vcpus, self.memory_bytes, self.disk_bytes)

    @property
    def guest_limits(self) -> Limits:
        """Of each guest."""
        return Limits(
            None, self.guest_vcpus, self.guest_memory_bytes, self.guest_disk_bytes
        )


class Charge(models.Model):
    """What one guest takes up, or one that was asked for will."""

    class State(models.TextChoices):
        """Whether it is there already."""

        RESERVED = "reserved"
        USED = "used"

    project = models.ForeignKey(
        Project, on_delete=models.PROTECT, related_name="charges"
    )
    subject = models.CharField(max_length=64, unique=True)  # request:ID or guest:UUID
    label = models.CharField(max_length=255)
    state = models.CharField(max_length=8, choices=State)
    guests = models.PositiveIntegerField(default=1)
    vcpus = models.PositiveIntegerField(default=0)
    memory_bytes = models.BigIntegerField(default=0)
    disk_bytes = models.BigIntegerField(default=0)
    at = models.DateTimeField(default=timezone.now)
    operation = models.UUIDField(null=True)  # that makes it so, while it is reserved

    class Meta:
        app_label = "portal"
        ordering = ["at", "pk"]
        indexes = [models.Index(fields=["project", "state"])]

    def __str__(self) -> str:
        return f"{self.label} in {self.project_id}"

    @property
    def amounts(self) -> Amounts:
        """What it takes up."""
        return Amounts(self.guests, self.vcpus, self.memory_bytes, self.disk_bytes)
