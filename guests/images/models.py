"""Rows: images, where copies of them are, and the seeds that guests still have."""

from django.db import models
from django.urls import reverse
from django.utils import timezone

from hosts.models import Host, Pool

FILES = ("dir", "fs", "netfs")  # pools of files: what stands on an image lies beside it


class Image(models.Model):
    """Something to make disks of, known by its content's checksum."""

    class State(models.TextChoices):
        """Only ready ones can be chosen."""

        AWAITING = "awaiting"  # its content is to be uploaded
        BUILDING = "building"  # being read, checked, converted
        READY = "ready"
        FAILED = "failed"
        DELETING = "deleting"

    name = models.CharField(max_length=100)
    version = models.CharField(max_length=50, blank=True, default="")
    os = models.CharField(max_length=255, blank=True, default="")  # an osinfo id
    cloud_init = models.BooleanField(default=False)
    min_disk_bytes = models.BigIntegerField(default=0)  # no smaller disk is made of it
    note = models.TextField(blank=True, default="")  # what it is for
    offered = models.BooleanField(default=True)  # to people who ask for guests
    state = models.CharField(max_length=8, choices=State, db_index=True)
    problem = models.TextField(blank=True, default="")  # why it failed
    operation = models.UUIDField(null=True)  # what builds or deletes it
    format = models.CharField(max_length=16, blank=True, default="")  # qcow2, raw
    sha256 = models.CharField(max_length=64, blank=True, default="", db_index=True)
    size_bytes = models.BigIntegerField(default=0)  # of the file
    virtual_size_bytes = models.BigIntegerField(default=0)  # what a guest sees
    author = models.CharField(max_length=150, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        app_label = "guests"
        ordering = ["name", "version", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["name", "version"], name="one_image_a_version"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.version}".strip()

    def get_absolute_url(self) -> str:
        """Its page."""
        return reverse("image", args=[self.pk])

    @property
    def topic(self) -> str:
        """What the audit record calls it."""
        return f"image:{self.pk}"


class ImageCopy(models.Model):
    """An image's content on a host; the first one is where it came from."""

    class State(models.TextChoices):
        """Guests stand on ready ones only."""

        BUILDING = "building"
        READY = "ready"

    image = models.ForeignKey(Image, on_delete=models.CASCADE, related_name="copies")
    host = models.ForeignKey(
        Host, on_delete=models.CASCADE, related_name="image_copies"
    )
    pool = models.ForeignKey(
        Pool, null=True, on_delete=models.SET_NULL, related_name="image_copies"
    )
    path = models.CharField(max_length=1024, db_index=True)
    state = models.CharField(max_length=8, choices=State)
    operation = models.UUIDField(null=True)  # what makes it
    ours = models.BooleanField(default=True)  # made for the image: goes with it
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        app_label = "guests"
        ordering = ["created_at", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["image", "host"], name="one_copy_a_host")
        ]

    def __str__(self) -> str:
        return f"{self.image} on {self.host}"


class Seed(models.Model):
    """What a guest is told at its first boot: first as words, then as a CD, then gone."""

    guest = models.UUIDField(unique=True)
    guest_name = models.CharField(max_length=255)
    sealed = models.TextField(blank=True, default="")  # until the CD is written
    host = models.ForeignKey(
        Host, null=True, on_delete=models.SET_NULL, related_name="seeds"
    )
    path = models.CharField(max_length=1024, blank=True, default="", db_index=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    written_at = models.DateTimeField(null=True)
    ran_since = models.DateTimeField(null=True)  # seen running with it
    tries = models.PositiveIntegerField(default=0)  # to take it away
    next_try_at = models.DateTimeField(default=timezone.now, db_index=True)
    operation = models.UUIDField(null=True)  # the last such try

    class Meta:
        app_label = "guests"
        ordering = ["written_at", "pk"]

    def __str__(self) -> str:
        return f"Seed of {self.guest_name}"
