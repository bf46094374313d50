"""Rows: by whom else somebody is known."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from kvmweb.accounts.models import Role


class ExternalIdentity(models.Model):
    """A person as an OpenID provider or a directory knows them, by what never changes.

    The role that somebody gave by hand is kept beside the one that groups made of it,
    so that the next sign-in takes back only the latter.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="identities"
    )
    provider = models.CharField(max_length=255)  # the issuer, or the directory's URL
    subject = models.CharField(max_length=255)
    label = models.CharField(max_length=150, blank=True, default="")  # for people
    own_role = models.CharField(max_length=10, choices=Role, default=Role.USER)
    set_role = models.CharField(max_length=10, choices=Role, default=Role.USER)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        app_label = "accounts"
        ordering = ["provider", "subject"]
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "subject"], name="one_person_a_subject"
            )
        ]

    def __str__(self) -> str:
        return f"{self.subject} at {self.provider}"
