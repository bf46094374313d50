"""Rows: one for each hour of a guest or host, with its sixty minutes packed inside."""

from django.db import models


class Rollup(models.Model):
    """An hour of numbers. What it is about is known by its word only.

    `minutes` holds 60 records of `kvmweb.samples.RECORD`, empty once they are too old;
    `average` one, of the whole hour.
    """

    subject = models.BinaryField(max_length=16)  # kvmweb.samples.key_of_guest, _of_host
    hour = models.PositiveIntegerField(db_index=True)  # hours since the epoch
    minutes = models.BinaryField(default=b"")
    average = models.BinaryField(default=b"")

    class Meta:
        ordering = ["subject", "hour"]
        constraints = [
            models.UniqueConstraint(
                fields=["subject", "hour"], name="one_rollup_an_hour"
            )
        ]

    def __str__(self) -> str:
        return f"hour {self.hour} of {bytes(self.subject).hex()}"
