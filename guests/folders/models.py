"""Rows: limits on folders, views of the list that people keep, and how each likes it."""

from django.conf import settings
from django.db import models
from django.utils import timezone


class FolderLimit(models.Model):
    """How much the guests of a folder, and of all below it, may take up together."""

    path = models.CharField(max_length=100, unique=True)
    note = models.CharField(max_length=300, blank=True, default="")
    guests = models.PositiveIntegerField(null=True)  # None: no limit
    vcpus = models.PositiveIntegerField(null=True)
    memory_bytes = models.PositiveBigIntegerField(null=True)
    disk_bytes = models.PositiveBigIntegerField(null=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        app_label = "guests"
        ordering = ["path"]

    def __str__(self) -> str:
        return self.path


class SavedView(models.Model):
    """Filters, order, folder, columns and height of rows, kept under a name."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_views"
    )
    name = models.CharField(max_length=60)
    shared = models.BooleanField(default=False)  # everybody sees it
    filters = models.JSONField(default=dict)  # as they stand in the URL
    hidden = models.JSONField(default=list)  # columns that are left out
    dense = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        app_label = "guests"
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "name"], name="one_view_a_person_and_name"
            )
        ]

    def __str__(self) -> str:
        return self.name


class ListHabit(models.Model):
    """How somebody likes the list of guests when no view says otherwise."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="list_habit",
    )
    dense = models.BooleanField(default=False)
    hidden = models.JSONField(default=list)
    opens = models.ForeignKey(  # the view that the list begins with
        SavedView, null=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        app_label = "guests"
        ordering = ["user"]

    def __str__(self) -> str:
        return f"{self.user_id}'s list"
