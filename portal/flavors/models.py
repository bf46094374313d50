"""Rows: flavors."""

from django.db import models
from django.utils import timezone

from kvmweb.sizes import amount


class Flavor(models.Model):
    """A size of machine that people can ask for by its name."""

    name = models.CharField(max_length=63, unique=True)
    note = models.TextField(blank=True, default="")  # what it is for
    vcpus = models.PositiveIntegerField()
    memory_bytes = models.BigIntegerField()
    disk_bytes = models.BigIntegerField()
    price_per_hour = models.DecimalField(
        max_digits=12, decimal_places=6, null=True, blank=True
    )
    active = models.BooleanField(default=True)  # else nobody can ask for it any more
    position = models.PositiveIntegerField(default=0)  # among its siblings
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        app_label = "portal"
        ordering = ["position", "name", "pk"]

    def __str__(self) -> str:
        return self.name

    @property
    def topic(self) -> str:
        """What the audit record calls it."""
        return f"flavor:{self.pk}"

    @property
    def size(self) -> str:
        """All of it in words: "2 vCPUs, 4 GiB memory, 20 GiB disk"."""
        cpus = "1 vCPU" if self.vcpus == 1 else f"{self.vcpus} vCPUs"
        memory, disk = amount(self.memory_bytes), amount(self.disk_bytes)
        return f"{cpus}, {memory} memory, {disk} disk"
