"""Rows: guests that travel for one reason, a few at a time, and where they came from."""

from django.db import models
from django.utils import timezone


class Convoy(models.Model):
    """Many guests moved for one reason; its operation is the parent of theirs."""

    class Purpose(models.TextChoices):
        """Why they travel."""

        EVACUATE = "evacuate"
        RETURN = "return"
        BALANCE = "balance"

    operation = models.UUIDField(primary_key=True)
    purpose = models.CharField(max_length=8, choices=Purpose)
    host = models.ForeignKey(
        "hosts.Host", null=True, on_delete=models.SET_NULL, related_name="convoys"
    )
    host_name = models.CharField(max_length=63, blank=True, default="")
    per_target = models.PositiveSmallIntegerField(default=2)  # at once to one host
    per_source = models.PositiveSmallIntegerField(default=4)  # at once from one
    per_link = models.PositiveSmallIntegerField(default=2)  # at once between two
    paused = models.BooleanField(default=False)
    begun_at = models.DateTimeField(default=timezone.now, editable=False)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "guests"
        ordering = ["-begun_at"]

    def __str__(self) -> str:
        return f"{self.purpose} {self.host_name}".strip()


class Step(models.Model):
    """One guest of a convoy: what is to become of it, and what became."""

    waits = False  # beside the row: it is busy, and was looked at already this time

    class Deed(models.TextChoices):
        """What is done to it."""

        MOVE = "move"  # while it runs
        CARRY = "carry"  # while it is off
        SHUT_DOWN = "shut-down"
        SUSPEND = "suspend"
        START = "start"
        LEAVE = "leave"

    class State(models.TextChoices):
        """waiting → running → one of the last three."""

        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        LEFT = "left"  # as it was: nothing was to be done, or it was not begun
        FAILED = "failed"

    convoy = models.ForeignKey(Convoy, on_delete=models.CASCADE, related_name="steps")
    number = models.PositiveIntegerField()
    guest = models.UUIDField(db_index=True)
    guest_name = models.CharField(max_length=255)
    deed = models.CharField(max_length=9, choices=Deed)
    source = models.BigIntegerField(null=True)
    source_name = models.CharField(max_length=63, blank=True, default="")
    target = models.BigIntegerField(null=True)  # only of those that move
    target_name = models.CharField(max_length=63, blank=True, default="")
    vcpus = models.PositiveIntegerField(default=0)
    memory_bytes = models.BigIntegerField(default=0)
    storage = models.CharField(max_length=6, blank=True, default="")
    estimate = models.JSONField(default=dict)  # seconds, downtime_ms, bytes, converges
    why = models.JSONField(default=list)  # sentences
    state = models.CharField(
        max_length=7, choices=State, default=State.WAITING, db_index=True
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    tried = models.JSONField(default=list)  # hosts that did not work out
    operation = models.UUIDField(null=True)  # the last one for it
    busy_since = models.DateTimeField(null=True)  # waits for another's operation
    sentence = models.TextField(blank=True, default="")

    class Meta:
        app_label = "guests"
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(
                fields=["convoy", "guest"], name="one_step_a_guest_and_convoy"
            )
        ]

    def __str__(self) -> str:
        return f"{self.guest_name}: {self.deed} ({self.state})"

    @property
    def deed_words(self) -> str:
        """What is done to it, for people."""
        return _DEEDS[self.deed]


_DEEDS: dict[str, str] = {
    Step.Deed.MOVE: "move live",
    Step.Deed.CARRY: "move while off",
    Step.Deed.SHUT_DOWN: "shut down",
    Step.Deed.SUSPEND: "suspend",
    Step.Deed.START: "start again",
    Step.Deed.LEAVE: "leave as it is",
}


class Home(models.Model):
    """Where a guest was before its host was emptied, until it is brought back."""

    guest = models.UUIDField(primary_key=True)
    guest_name = models.CharField(max_length=255)
    host = models.ForeignKey(
        "hosts.Host", on_delete=models.CASCADE, related_name="homes"
    )
    deed = models.CharField(max_length=9, choices=Step.Deed)  # how it left
    drain = models.UUIDField(null=True)
    at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        app_label = "guests"
        ordering = ["guest_name"]

    def __str__(self) -> str:
        return f"{self.guest_name} of {self.host}"
