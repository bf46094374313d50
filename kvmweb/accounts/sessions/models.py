"""Rows: where somebody is signed in."""

from uuid import uuid4

from django.conf import settings
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.utils import timezone


class Visit(AbstractBaseSession):
    """One browser's session. Its key is a secret; pages call it by its handle."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, db_index=True
    )
    handle = models.UUIDField(unique=True, default=uuid4, editable=False)
    address = models.CharField(max_length=45, blank=True, default="")
    device = models.CharField(max_length=100, blank=True, default="")
    began_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        app_label = "accounts"
        ordering = ["-seen_at"]

    def __str__(self) -> str:
        return f"{self.device} from {self.address}"
