"""Rows: the snapshots of guests. All facts, written by guests.snapshots.facts alone."""

from django.db import models

NAME_MAX = 1024  # libvirt has no limit of its own


class Snapshot(models.Model):
    """A point in a guest's life that one can go back to."""

    guest = models.ForeignKey(
        "guests.Guest", on_delete=models.CASCADE, related_name="snapshot_rows"
    )
    name = models.CharField(max_length=NAME_MAX)
    parent = models.CharField(max_length=NAME_MAX, blank=True, default="")
    current = models.BooleanField(default=False)  # the guest goes on from it
    at = models.DateTimeField(null=True)
    state = models.CharField(max_length=32, blank=True, default="")  # libvirt's word
    description = models.TextField(blank=True, default="")
    kind = models.CharField(max_length=8)  # internal, external, mixed
    memory = models.BooleanField(default=False)  # what was in memory is kept, too
    memory_path = models.CharField(max_length=4096, blank=True, default="")
    disks = models.JSONField(default=list)  # SnapshotDiskFacts as objects

    # Beside the row, for pages: guests.snapshots.queries sets them.
    size_bytes: int | None = None  # None: it lies inside its disks' own files
    written_bytes: int = 0  # since it was made, where that lies in a file of its own
    depth: int = 0  # in the tree

    class Meta:
        app_label = "guests"
        ordering = ["at", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["guest", "name"], name="one_snapshot_a_name"
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def addressable(self) -> bool:
        """Whether a link can name it; libvirt gives no other names, a lying host may."""
        return "/" not in self.name and self.name.strip(".") != ""

    @property
    def indents(self) -> range:
        """How far in it stands in a tree that is drawn."""
        return range(min(self.depth, 12))
