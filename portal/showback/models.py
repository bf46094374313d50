"""Rows: what each guest took up from when to when, and what an hour costs."""

from decimal import Decimal

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.utils import timezone

from kvmweb.accounts.models import Project


def _price() -> "models.DecimalField[Decimal | None, Decimal | None]":
    """Of one hour, in the house's currency."""
    return models.DecimalField(
        max_digits=14,
        decimal_places=6,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
    )


class UseSpan(models.Model):
    """One guest of a project, unchanged from one moment to another."""

    project = models.ForeignKey(
        Project, null=True, on_delete=models.SET_NULL, related_name="spans"
    )
    guest = models.UUIDField()
    name = models.CharField(max_length=255)
    flavor = models.CharField(max_length=100, blank=True, default="")
    vcpus = models.PositiveIntegerField()
    memory_bytes = models.BigIntegerField()
    disk_bytes = models.BigIntegerField()
    price_per_hour = _price()  # None: nobody said what it costs
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)  # None: it goes on

    class Meta:
        app_label = "portal"
        ordering = ["began_at", "pk"]
        indexes = [models.Index(fields=["project", "began_at"])]
        constraints = [
            models.UniqueConstraint(
                fields=["guest"],
                condition=models.Q(ended_at=None),
                name="one_open_span_a_guest",
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} from {self.began_at:%F %T}"


class Tariff(models.Model):
    """What an hour of what costs where no flavor says so. The last one holds."""

    vcpu = _price()
    memory_gib = _price()
    disk_gib = _price()
    currency = models.CharField(max_length=8, blank=True, default="")
    since = models.DateTimeField(default=timezone.now, editable=False)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        app_label = "portal"
        ordering = ["-since", "-pk"]

    def __str__(self) -> str:
        return f"since {self.since:%F %T}"
