"""Rows: leases of guests, what a project lets its members do with them, who looks."""

from datetime import datetime, timedelta

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone

from kvmweb.accounts.models import Project
from portal.leases.steps import State, Term

KEPT_DAYS = 14
LONGEST_DAYS = 3660
_DAYS = [MinValueValidator(0), MaxValueValidator(LONGEST_DAYS)]


class Lease(models.Model):
    """How long a guest is lent. A guest without one is nobody's business here."""

    STATES = [(state.value, state.value) for state in State]

    guest = models.UUIDField(unique=True)
    guest_name = models.CharField(max_length=255)  # when it was seen last
    project = models.ForeignKey(
        Project, null=True, on_delete=models.SET_NULL, related_name="leases"
    )
    state = models.CharField(max_length=8, choices=STATES, default=State.RUNNING)
    began_at = models.DateTimeField(default=timezone.now)  # or was last extended
    ends_at = models.DateTimeField(db_index=True)
    extended_days = models.PositiveIntegerField(default=0)  # by rule, in all
    keeps_days = models.PositiveIntegerField(default=KEPT_DAYS, validators=_DAYS)
    keeps_until = models.DateTimeField(null=True)
    reminded_at = models.DateTimeField(null=True)  # of this end
    stopping_since = models.DateTimeField(null=True)
    warned_at = models.DateTimeField(null=True)  # of its deletion
    spared = models.BooleanField(default=False)  # it was said that it is protected
    quiet_until = models.DateTimeField(null=True)  # a try failed: not again before
    operation = models.UUIDField(null=True)  # the last one that was begun for it
    said = models.TextField(blank=True, default="")  # what is waited for
    next_at = models.DateTimeField(null=True)  # when more is due, if that is known
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        app_label = "portal"
        ordering = ["ends_at", "pk"]

    def __str__(self) -> str:
        return f"lease of {self.guest_name}"

    @property
    def over(self) -> bool:
        """Whether its end has come."""
        return self.state != State.RUNNING or self.ends_at <= timezone.now()

    @property
    def term(self) -> Term:
        """The same for the pure steps."""
        return Term(
            state=State(self.state),
            began_at=self.began_at,
            ends_at=self.ends_at,
            keeps=timedelta(days=self.keeps_days),
            keeps_until=self.keeps_until,
            reminded_at=self.reminded_at,
            stopping_since=self.stopping_since,
            warned_at=self.warned_at,
            spared=self.spared,
            quiet_until=self.quiet_until,
        )

    def begin_again(self, ends_at: datetime) -> None:
        """In force until then, as if nothing had been said of an end."""
        self.state, self.ends_at = State.RUNNING, ends_at
        self.keeps_until = self.reminded_at = self.stopping_since = None
        self.warned_at = self.quiet_until = self.next_at = None
        self.spared, self.said = False, ""


class Policy(models.Model):
    """What a project's members may do with its leases without asking anybody."""

    project = models.OneToOneField(
        Project, on_delete=models.CASCADE, primary_key=True, related_name="lease_policy"
    )
    extend_days = models.PositiveIntegerField(  # at a time; 0: they must ask
        default=0, validators=_DAYS
    )
    extend_most_days = models.PositiveIntegerField(  # of one guest, in all
        default=0, validators=_DAYS
    )
    keeps_days = models.PositiveIntegerField(default=KEPT_DAYS, validators=_DAYS)

    class Meta:
        app_label = "portal"
        ordering = ["project"]

    def __str__(self) -> str:
        return f"leases of {self.project}"


class Looking(models.Model):
    """One row: since when somebody looks after leases without a pause."""

    THE = 1

    since = models.DateTimeField()
    last_at = models.DateTimeField()
    held = models.BooleanField(default=False)  # until a person says: go on

    class Meta:
        app_label = "portal"
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"since {self.since:%F %T}"
