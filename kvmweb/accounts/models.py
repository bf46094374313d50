"""Rows: people, their tokens, and the audit record."""

from datetime import timedelta
from typing import Any, ClassVar, NoReturn

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone
from django.utils.crypto import salted_hmac

from kvmweb.errors import Forbidden


class Role(models.TextChoices):
    """What somebody is, everywhere."""

    ADMIN = "admin", "Administrator"
    OPERATOR = "operator", "Operator"
    USER = "user", "User"


class Users(BaseUserManager["User"]):
    """Makes and finds people."""

    def make(
        self, username: str, password: str | None = None, role: str = Role.USER
    ) -> "User":
        """A new person, saved; no password means they cannot sign in yet."""
        user = self.model(username=username, role=role)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractBaseUser):
    """Somebody who may sign in or hold tokens."""

    username = models.CharField(
        max_length=64,
        unique=True,
        validators=[
            RegexValidator(
                r"^[a-z0-9]([a-z0-9._@-]{0,62}[a-z0-9])?\Z",
                "Use lower-case letters, digits, dots, dashes, @ and underscores.",
            )
        ],
    )
    name = models.CharField(max_length=150, blank=True, default="")
    email = models.EmailField(blank=True, default="")
    role = models.CharField(max_length=10, choices=Role, default=Role.USER)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    sessions_ended = models.PositiveIntegerField(default=0)  # times all were ended

    # Beside the row: set by who knows (kvmweb.accounts.bearer, kvmweb.accounts.gate).
    within: int | None = None  # the one project that the token they came with is for
    known_roles: dict[int, str] | None = None  # what they are in their projects

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects = Users()

    class Meta:
        ordering = ["username"]

    def __str__(self) -> str:
        return self.username

    def get_session_auth_hash(self) -> str:
        """What a session must carry: changes with the password and when all are ended."""
        return salted_hmac(
            "kvmweb.accounts.session",
            f"{self.password}:{self.sessions_ended}",
            algorithm="sha256",
        ).hexdigest()


class Project(models.Model):
    """People who share guests, and what those may take up."""

    name = models.CharField(
        max_length=64,
        unique=True,
        validators=[
            RegexValidator(
                r"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?\Z",
                "Use small letters, digits, dots and dashes, at most 63.",
            )
        ],
    )
    note = models.TextField(blank=True, default="", max_length=2000)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def topic(self) -> str:
        """What live pages listen to."""
        return f"project:{self.pk}"


class Member(models.Model):
    """Somebody in a project, and what they may do there."""

    class Role(models.TextChoices):
        """What somebody is in one project."""

        VIEWER = "viewer", "Viewer"
        OPERATOR = "operator", "Operator"
        OWNER = "owner", "Owner"

    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, related_name="members"
    )
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=8, choices=Role, default=Role.OPERATOR)
    since = models.DateTimeField(default=timezone.now, editable=False)
    by_hand = models.BooleanField(default=True)  # else a group of a directory said so

    class Meta:
        ordering = ["user__username"]
        constraints = [
            models.UniqueConstraint(
                fields=["project", "user"], name="one_membership_a_project"
            )
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.project}"


class Token(models.Model):
    """A way in for scripts. Only a hash is kept; the first letters help to find it."""

    class Scope(models.TextChoices):
        """What it may do, never more than its user."""

        READ = "read", "Read"
        WRITE = "write", "Read and write"

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=100)
    scope = models.CharField(max_length=10, choices=Scope, default=Scope.WRITE)
    project = models.ForeignKey(  # it reaches nothing else; None: all its user may
        Project, null=True, blank=True, on_delete=models.CASCADE, related_name="tokens"
    )
    prefix = models.CharField(max_length=16)
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.prefix}… ({self.name})"


class SignInFailure(models.Model):
    """One wrong password; counted for throttling, swept after a day."""

    KEPT = timedelta(days=1)

    username = models.CharField(max_length=150, db_index=True)
    address = models.GenericIPAddressField(null=True)
    at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        ordering = ["-at"]

    def __str__(self) -> str:
        return f"{self.username} at {self.at:%F %T}"


class AuditEntries(models.QuerySet["AuditEntry"]):
    """Reads and adds; refuses the rest, before the database does."""

    def update(self, **_columns: object) -> NoReturn:
        """Never."""
        raise Forbidden("The audit record is never changed.")

    def delete(self) -> NoReturn:
        """Never."""
        raise Forbidden("The audit record is never deleted.")


class AuditEntry(models.Model):
    """What somebody did or was refused. The database itself refuses change and delete."""

    at = models.DateTimeField(default=timezone.now, db_index=True, editable=False)
    actor = models.CharField(max_length=150)  # a name: it outlives the user
    action = models.CharField(max_length=64, db_index=True)  # "guest.start", "sign-in"
    target = models.CharField(max_length=200, blank=True, default="", db_index=True)
    address = models.CharField(max_length=45, blank=True, default="")
    outcome = models.CharField(max_length=16)  # accepted succeeded failed refused …
    details = models.JSONField(default=dict)

    objects = AuditEntries.as_manager()

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["actor", "-at"])]

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.target}: {self.outcome}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Add it. Raises Forbidden when it was there before."""
        if not self._state.adding:
            raise Forbidden("The audit record is never changed.")
        super().save(*args, **kwargs)

    def delete(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Never."""
        raise Forbidden("The audit record is never deleted.")


class Heartbeat(models.Model):
    """One process of ours, and when it last said that it is alive."""

    kind = models.CharField(max_length=20)  # worker, watcher, console, beat
    name = models.CharField(max_length=100)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["kind", "name"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "name"], name="one_beat_a_process")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


# The rows of the rooms below, which stand on those above.
from kvmweb.accounts.invitations import models as invitation_rows  # noqa: E402, F401
from kvmweb.accounts.outside import models as outside_rows  # noqa: E402, F401
from kvmweb.accounts.second import models as second_rows  # noqa: E402, F401
from kvmweb.accounts.sessions import models as session_rows  # noqa: E402, F401
