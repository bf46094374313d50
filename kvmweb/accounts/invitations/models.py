"""Rows: letters with a link that works once."""

from uuid import uuid4

from django.conf import settings
from django.db import models
from django.utils import timezone

from kvmweb.accounts.models import Role


class Letter(models.Model):
    """One mail with a link; the link is signed, made of this row, and kept nowhere.

    A letter for a new password that nobody has an account for is a row all the same,
    so that asking costs the same; it is never sent.
    """

    class Kind(models.TextChoices):
        """What its link is for."""

        INVITATION = "invitation", "Invitation"
        PASSWORD = "password", "New password"

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    kind = models.CharField(max_length=10, choices=Kind)
    email = models.EmailField()
    user = models.ForeignKey(  # whose password
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="+"
    )
    username = models.CharField(max_length=64, blank=True, default="")  # proposed
    role = models.CharField(max_length=10, choices=Role, default=Role.USER)
    project = models.ForeignKey(
        "accounts.Project", on_delete=models.SET_NULL, null=True, related_name="+"
    )
    project_role = models.CharField(max_length=10, blank=True, default="")
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="+"
    )
    address = models.CharField(
        max_length=45, blank=True, default=""
    )  # who asked for it
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)  # or withdrawn
    sent_at = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField(default=timezone.now, null=True, db_index=True)
    tries = models.PositiveSmallIntegerField(default=0)
    error = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        app_label = "accounts"
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} for {self.email}"
