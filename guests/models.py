"""Rows: guests. Columns under "facts" are written by facts.py alone."""

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone

from hosts.models import Host
from kvmweb.operations.models import Operation
from kvmweb.virt.types import DomainState, GuestSample


class Guest(models.Model):
    """A machine that people know by its UUID, wherever it runs."""

    # Beside the row, for pages: guests.queries sets them.
    sample: GuestSample | None = None
    active_operation: Operation | None = None
    conflict: bool = False  # the same UUID is on another host, and no move explains it

    uuid = models.UUIDField(primary_key=True)

    # Ours: stays with the UUID, also while it is gone.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="guests",
    )
    project = models.ForeignKey(  # whose members have rights on it
        "accounts.Project",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="guests",
    )
    tags = models.JSONField(default=list, blank=True)
    tag_words = models.TextField(blank=True, default="")  # " db web ", to search
    protected = models.BooleanField(default=False)  # may not be deleted
    template = models.BooleanField(default=False)  # to make others from; never started
    first_seen_at = models.DateTimeField(default=timezone.now, editable=False)

    # Facts: what its host said.
    host = models.ForeignKey(
        Host, null=True, on_delete=models.SET_NULL, related_name="guests"
    )
    name = models.CharField(max_length=255, db_index=True)
    state = models.CharField(
        max_length=13,
        choices=[(s.value, s.value) for s in DomainState],
        db_index=True,
    )
    state_reason = models.CharField(max_length=64, blank=True, default="")
    state_since = models.DateTimeField(default=timezone.now)
    known_state = models.CharField(max_length=13, blank=True, default="")  # while
    known_since = models.DateTimeField(null=True)  # unknown: what it was, since when
    seen_at = models.DateTimeField(default=timezone.now)
    persistent = models.BooleanField(default=True)
    autostart = models.BooleanField(default=False)
    managed_save = models.BooleanField(default=False)
    vcpus = models.PositiveIntegerField(default=0)
    vcpus_max = models.PositiveIntegerField(default=0)
    memory_bytes = models.BigIntegerField(default=0)
    memory_max_bytes = models.BigIntegerField(default=0)
    virt_type = models.CharField(max_length=16, blank=True, default="")
    os = models.CharField(max_length=255, blank=True, default="")
    firmware = models.CharField(max_length=16, blank=True, default="")
    machine = models.CharField(max_length=64, blank=True, default="")
    arch = models.CharField(max_length=32, blank=True, default="")
    title = models.CharField(max_length=255, blank=True, default="")
    description = models.TextField(blank=True, default="")
    disks = models.JSONField(default=list)  # DiskFacts as objects
    nics = models.JSONField(default=list)  # NicFacts as objects
    graphics = models.JSONField(default=list)  # GraphicsFacts as objects
    addresses = models.TextField(
        blank=True, default=""
    )  # " 10.0.0.5 fe80::1 ", to search
    serial = models.BooleanField(default=False)
    agent = models.BooleanField(null=True)  # None: no channel
    snapshots = models.PositiveIntegerField(default=0)
    differs = models.BooleanField(default=False)  # runs otherwise than it is defined
    started_at = models.DateTimeField(null=True)
    problem = models.TextField(blank=True, default="")
    uses = models.JSONField(default=list)  # paths, "pool/name": now and at next start
    xml_digest = models.CharField(max_length=64, blank=True, default="")

    class Meta:
        ordering = ["name", "uuid"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Its page."""
        return reverse("guest", args=[self.pk])

    @property
    def topic(self) -> str:
        """What live pages listen to."""
        return f"guest:{self.pk}"


class Document(models.Model):
    """A guest's XML as its host last said it. All facts."""

    guest = models.OneToOneField(
        Guest, on_delete=models.CASCADE, primary_key=True, related_name="document"
    )
    xml = models.TextField()  # what runs, or what is defined
    inactive_xml = models.TextField(blank=True, default="")  # "": transient

    class Meta:
        ordering = ["guest"]

    def __str__(self) -> str:
        return f"XML of {self.guest}"


class Twin(models.Model):
    """The same UUID seen on another host: a conflict, unless a move is under way."""

    guest = models.ForeignKey(Guest, on_delete=models.CASCADE, related_name="twins")
    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="twins")
    name = models.CharField(max_length=255)
    state = models.CharField(max_length=13)
    moving = models.BooleanField(default=False)  # one end of a migration, says libvirt
    seen_at = models.DateTimeField(default=timezone.now)
    facts = models.JSONField(default=dict)  # columns of Guest, should this be its home
    xml = models.TextField(blank=True, default="")
    inactive_xml = models.TextField(blank=True, default="")

    class Meta:
        ordering = ["seen_at"]
        constraints = [
            models.UniqueConstraint(fields=["guest", "host"], name="one_twin_a_host")
        ]

    def __str__(self) -> str:
        return f"{self.name} on {self.host}"


class Revision(models.Model):
    """One version of a guest's XML that was in force, and who made it so."""

    guest = models.ForeignKey(Guest, on_delete=models.CASCADE, related_name="revisions")
    number = models.PositiveIntegerField()
    at = models.DateTimeField(default=timezone.now)
    author = models.CharField(max_length=150)  # a user's name, or OUTSIDE
    operation = models.UUIDField(null=True)
    digest = models.CharField(max_length=64)
    xml = models.TextField()  # inactive where it is persistent

    OUTSIDE = "outside kvmweb"
    diff: str = ""  # for pages: what it changed, line by line
    changes: list[str] | None = None  # and in words; None: nobody has compared

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(
                fields=["guest", "number"], name="one_revision_a_number"
            )
        ]

    def __str__(self) -> str:
        return f"{self.guest} #{self.number}"


class Happening(models.Model):
    """Something that befell a guest: started, crashed, renamed, moved, gone, back."""

    guest = models.ForeignKey(
        Guest, on_delete=models.CASCADE, related_name="happenings"
    )
    at = models.DateTimeField(default=timezone.now)
    what = models.CharField(max_length=64)
    detail = models.CharField(max_length=300, blank=True, default="")
    operation = models.UUIDField(null=True)  # ours, or None: outside kvmweb

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["guest", "-at"])]

    def __str__(self) -> str:
        return f"{self.guest} {self.what}"


class ConsoleTicket(models.Model):
    """The right to open one screen once, soon. Only a hash of its text is kept."""

    class Kind(models.TextChoices):
        """What is behind it: RFB, or the bytes of a serial port."""

        VNC = "vnc"
        SERIAL = "serial"

    digest = models.CharField(max_length=64, primary_key=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+"
    )
    session_digest = models.CharField(max_length=64, blank=True, default="")
    token = models.ForeignKey(
        "accounts.Token", null=True, on_delete=models.CASCADE, related_name="+"
    )
    guest = models.ForeignKey(Guest, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=6, choices=Kind)
    view_only = models.BooleanField(default=False)
    expires_at = models.DateTimeField(db_index=True)
    taken_at = models.DateTimeField(null=True)
    problem = models.TextField(blank=True, default="")  # why no screen came, for people

    class Meta:
        ordering = ["-expires_at"]

    def __str__(self) -> str:
        return f"{self.kind} of {self.guest_id} for {self.user_id}"


# The rooms' own rows; here so that Django finds them.
from guests.balance import models as balance_rows  # noqa: E402, F401
from guests.canary import models as canary_rows  # noqa: E402, F401
from guests.draining import models as draining_rows  # noqa: E402, F401
from guests.folders import models as folder_rows  # noqa: E402, F401
from guests.images import models as image_rows  # noqa: E402, F401
from guests.inside import models as inside_rows  # noqa: E402, F401
from guests.migration import check_models as move_check_rows  # noqa: E402, F401
from guests.migration import models as migration_rows  # noqa: E402, F401
from guests.snapshots import models as snapshot_rows  # noqa: E402, F401
