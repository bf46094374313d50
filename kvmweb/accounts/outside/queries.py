"""By whom else somebody is known."""

from django.db.models import QuerySet

from kvmweb.accounts.models import User
from kvmweb.accounts.outside.models import ExternalIdentity


def identities(user: User) -> QuerySet[ExternalIdentity]:
    """Somebody's links to accounts outside."""
    return ExternalIdentity.objects.filter(user=user)
