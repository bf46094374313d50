"""Keys that somebody keeps."""

from django.db.models import QuerySet

from kvmweb.accounts.models import User
from portal.keys.models import SshKey


def of(user: User) -> QuerySet[SshKey]:
    """This person's keys, by name."""
    return SshKey.objects.filter(user=user)
