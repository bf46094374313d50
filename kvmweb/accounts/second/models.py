"""Rows: what somebody has besides a password."""

from django.conf import settings
from django.db import models
from django.utils import timezone


class App(models.Model):
    """An app that shows codes (TOTP, RFC 6238). Its secret is sealed."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="app"
    )
    sealed = models.TextField()
    last_step = models.BigIntegerField(default=0)  # of the last code that was taken
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        app_label = "accounts"
        ordering = ["user"]

    def __str__(self) -> str:
        return f"App of {self.user}"


class Passkey(models.Model):
    """A key in a device or a stick (WebAuthn), for one name of this site."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="passkeys"
    )
    name = models.CharField(max_length=100)
    site = models.CharField(max_length=253)  # the name browsers bind it to
    credential = models.CharField(max_length=1400, unique=True)  # base64url
    public_key = models.TextField()  # base64url of COSE
    sign_count = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        app_label = "accounts"
        ordering = ["created_at"]

    def __str__(self) -> str:
        return self.name


class RecoveryCode(models.Model):
    """A way in once, for who lost app and keys. Only a hash is kept."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="recovery_codes",
    )
    digest = models.CharField(max_length=64)
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        app_label = "accounts"
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"Recovery code of {self.user}"
