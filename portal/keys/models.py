"""Rows: public SSH keys of people."""

from django.conf import settings
from django.db import models
from django.utils import timezone


class SshKey(models.Model):
    """A public key, by the name its owner gave it."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="ssh_keys"
    )
    name = models.CharField(max_length=100)
    text = models.TextField()  # one line
    fingerprint = models.CharField(max_length=64)  # as ssh-keygen -l says it
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        app_label = "portal"
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["user", "name"], name="one_key_a_name"),
            models.UniqueConstraint(
                fields=["user", "fingerprint"], name="one_name_a_key"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def kind(self) -> str:
        """Its algorithm, as it begins: "ssh-ed25519"."""
        return self.text.split(" ", 1)[0]
