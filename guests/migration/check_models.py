"""Rows: what was learned by asking both hosts of a move. Our own records, no facts."""

from django.db import models
from django.utils import timezone


class SharedProof(models.Model):
    """Whether two hosts saw the same file under one path: tried, not believed."""

    first = models.ForeignKey(
        "hosts.Host", on_delete=models.CASCADE, related_name="+"
    )  # the one of the smaller id
    second = models.ForeignKey("hosts.Host", on_delete=models.CASCADE, related_name="+")
    path = models.CharField(max_length=1024)  # the pools' target
    ok = models.BooleanField()
    sentence = models.TextField(blank=True, default="")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        app_label = "guests"
        ordering = ["-at"]
        constraints = [
            models.UniqueConstraint(
                fields=["first", "second", "path"], name="one_proof_a_pair_and_path"
            )
        ]

    def __str__(self) -> str:
        return f"{self.path}: {self.first_id} and {self.second_id}"


class Asking(models.Model):
    """What the two hosts of a possible move said about one guest."""

    guest = models.ForeignKey(
        "guests.Guest", on_delete=models.CASCADE, related_name="askings"
    )
    source = models.ForeignKey("hosts.Host", on_delete=models.CASCADE, related_name="+")
    target = models.ForeignKey("hosts.Host", on_delete=models.CASCADE, related_name="+")
    live = models.BooleanField()
    reasons = models.JSONField(default=list)  # Reason as objects
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        app_label = "guests"
        ordering = ["-at"]
        constraints = [
            models.UniqueConstraint(
                fields=["guest", "target"], name="one_asking_a_guest_and_target"
            )
        ]

    def __str__(self) -> str:
        return f"{self.guest_id} to {self.target_id}"


class Pace(models.Model):
    """How fast a guest changes its memory, and how much of it is in use, as measured."""

    guest = models.OneToOneField(
        "guests.Guest", on_delete=models.CASCADE, primary_key=True, related_name="pace"
    )
    dirty_bytes_s = models.BigIntegerField(null=True)
    used_bytes = models.BigIntegerField(null=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        app_label = "guests"
        ordering = ["guest"]

    def __str__(self) -> str:
        return f"{self.guest_id}: {self.dirty_bytes_s} bytes/s"


class Way(models.Model):
    """Whether one host reached another at the last try: its name, its migration port."""

    source = models.ForeignKey("hosts.Host", on_delete=models.CASCADE, related_name="+")
    target = models.ForeignKey("hosts.Host", on_delete=models.CASCADE, related_name="+")
    reasons = models.JSONField(default=list)  # Reason as objects; none: it is open
    notes = models.JSONField(default=list)  # the same, of what to know
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        app_label = "guests"
        ordering = ["-at"]
        constraints = [
            models.UniqueConstraint(
                fields=["source", "target"], name="one_way_a_pair_of_hosts"
            )
        ]

    def __str__(self) -> str:
        return f"{self.source_id} to {self.target_id}"
