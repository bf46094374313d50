"""Rows: requests, what befell each, and the rules that approve by themselves."""

from decimal import Decimal

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone

from guests.images.models import Image
from kvmweb.accounts.models import Project
from portal.ledger.amounts import Amounts
from portal.requests.ruling import Asked, Ruled
from portal.requests.states import Kind, State

_WEEK_HOURS = 168


def _choices(words: "type[State] | type[Kind]") -> list[tuple[str, str]]:
    return [(word.value, word.value) for word in words]


class Request(models.Model):
    """Something one person asks for and another decides about."""

    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, related_name="requests"
    )
    kind = models.CharField(max_length=6, choices=_choices(Kind), default=Kind.NEW)
    state = models.CharField(
        max_length=12, choices=_choices(State), default=State.PENDING, db_index=True
    )
    requester = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    author = models.CharField(max_length=150)  # a name: outlives the user
    address = models.CharField(max_length=45, blank=True, default="")  # asked from
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    # What is asked for; once approved, what was approved: it never changes again.
    name = models.CharField(max_length=63)  # of the machine
    flavor = models.ForeignKey(
        "portal.Flavor", null=True, on_delete=models.PROTECT, related_name="+"
    )
    vcpus = models.PositiveIntegerField(default=0)
    memory_bytes = models.BigIntegerField(default=0)
    disk_bytes = models.BigIntegerField(default=0)
    image = models.ForeignKey(
        Image, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    image_name = models.CharField(max_length=160, blank=True, default="")
    network = models.CharField(max_length=255, blank=True, default="")  # by name
    reason = models.TextField(blank=True, default="", max_length=2000)
    note = models.TextField(
        blank=True, default="", max_length=2000
    )  # who decides reads it
    lease_days = models.PositiveIntegerField(default=0)
    login = models.CharField(max_length=64, blank=True, default="")  # of cloud-init
    sealed = models.TextField(
        blank=True, default=""
    )  # the whole of it, till it is done
    asked = models.JSONField(default=dict)  # what of it was larger when it was asked

    # What became of it.
    guest = models.UUIDField(null=True, db_index=True)
    operation = models.UUIDField(null=True, db_index=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    decider = models.CharField(max_length=150, blank=True, default="")  # or a rule
    decided_at = models.DateTimeField(null=True)
    decision_note = models.TextField(blank=True, default="", max_length=2000)
    failure = models.TextField(blank=True, default="")  # for people: why it failed

    class Meta:
        app_label = "portal"
        ordering = ["-created_at", "-pk"]
        indexes = [
            models.Index(fields=["state", "created_at"]),
            models.Index(fields=["project", "state"]),
            models.Index(fields=["requester", "-created_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.name} ({self.state})"

    def get_absolute_url(self) -> str:
        """Its page."""
        return reverse("request", args=[self.pk])

    @property
    def topic(self) -> str:
        """What live pages listen to, and what the audit record calls it."""
        return f"request:{self.pk}"

    @property
    def pending(self) -> bool:
        """Whether it waits for a decision."""
        return self.state == State.PENDING

    @property
    def under_way(self) -> bool:
        """Whether it was approved and is not done yet."""
        return self.state in {State.APPROVED, State.PROVISIONING}

    @property
    def amounts(self) -> Amounts:
        """What a new machine like this takes up."""
        return Amounts(1, self.vcpus, self.memory_bytes, self.disk_bytes)

    @property
    def price_a_week(self) -> Decimal | None:
        """What it costs, as its flavor says; None where nothing is said."""
        if self.flavor is None or self.flavor.price_per_hour is None:
            return None
        return Decimal(self.flavor.price_per_hour) * _WEEK_HOURS

    def for_rules(self) -> Asked:
        """What the rules look at."""
        return Asked(
            kind=self.kind,
            project=self.project_id,
            flavor=self.flavor_id,
            vcpus=self.vcpus,
            memory_bytes=self.memory_bytes,
            disk_bytes=self.disk_bytes,
            lease_days=self.lease_days,
        )


class Event(models.Model):
    """Something that befell a request: who, when, why."""

    request = models.ForeignKey(
        Request, on_delete=models.CASCADE, related_name="events"
    )
    at = models.DateTimeField(default=timezone.now, editable=False)
    what = models.CharField(max_length=20)  # "asked", "changed", or the state it got
    who = models.CharField(max_length=150)  # a name, or the product's own
    why = models.TextField(blank=True, default="")

    class Meta:
        app_label = "portal"
        ordering = ["at", "pk"]

    def __str__(self) -> str:
        return f"{self.what} by {self.who}"


class ApprovalRule(models.Model):
    """When nobody is asked; what it does not name may be anything."""

    name = models.CharField(max_length=100)
    project = models.ForeignKey(
        Project,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="approval_rules",
    )
    by_itself = models.BooleanField(default=True)  # else: approvers, their own ones
    enabled = models.BooleanField(default=True)
    kinds = models.JSONField(default=list, blank=True)
    flavors = models.ManyToManyField("portal.Flavor", blank=True, related_name="+")
    vcpus = models.PositiveIntegerField(null=True, blank=True)
    memory_bytes = models.BigIntegerField(null=True, blank=True)
    disk_bytes = models.BigIntegerField(null=True, blank=True)
    lease_days = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        app_label = "portal"
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.name

    def ruled(self) -> Ruled:
        """As a value; its flavors are to be prefetched."""
        return Ruled(
            id=self.pk,
            by_itself=self.by_itself,
            project=self.project_id,
            kinds=frozenset(self.kinds),
            flavors=frozenset(flavor.pk for flavor in self.flavors.all()),
            vcpus=self.vcpus,
            memory_bytes=self.memory_bytes,
            disk_bytes=self.disk_bytes,
            lease_days=self.lease_days,
        )
