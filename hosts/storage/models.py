"""Rows: what we know of volumes that their hosts do not say."""

from django.db import models
from django.utils import timezone

from kvmweb.operations.models import Operation


class Holding(models.Model):
    """A volume that is half made, in the trash, or of a format that we know.

    A volume without one is ready. Known by host and path, because it is written down
    before the volume is there.
    """

    class State(models.TextChoices):
        """Only what is ready may be chosen."""

        BUILDING = "building"
        READY = "ready"
        TRASH = "trash"

    host = models.ForeignKey(
        "hosts.Host", on_delete=models.CASCADE, related_name="holdings"
    )
    path = models.CharField(max_length=1024, db_index=True)
    state = models.CharField(max_length=8, choices=State)
    operation = models.UUIDField(null=True)  # what makes it, or put it into the trash
    format = models.CharField(
        max_length=32, blank=True, default=""
    )  # "": as libvirt says
    author = models.CharField(max_length=150, blank=True, default="")
    since = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(null=True, db_index=True)  # when the trash is emptied
    problem = models.TextField(
        blank=True, default=""
    )  # why it could not be cleared away

    class Meta:
        app_label = "hosts"
        ordering = ["path"]
        constraints = [
            models.UniqueConstraint(fields=["host", "path"], name="one_holding_a_path")
        ]

    def __str__(self) -> str:
        return f"{self.path} ({self.state})"


class Claim(models.Model):
    """A volume that an operation uses or destroys, from its asking to its end."""

    operation = models.ForeignKey(
        Operation, on_delete=models.CASCADE, related_name="volume_claims"
    )
    host = models.ForeignKey(
        "hosts.Host", on_delete=models.CASCADE, related_name="volume_claims"
    )
    path = models.CharField(max_length=1024, db_index=True)
    destroys = models.BooleanField()

    class Meta:
        app_label = "hosts"
        ordering = ["path"]

    def __str__(self) -> str:
        return f"{self.path} for {self.operation_id}"
