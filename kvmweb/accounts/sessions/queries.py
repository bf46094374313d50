"""Where somebody is signed in."""

from django.db.models import QuerySet
from django.utils import timezone

from kvmweb.accounts.models import User
from kvmweb.accounts.sessions.models import Visit


def visits(user: User) -> QuerySet[Visit]:
    """Somebody's sessions that have not run out, the last seen first."""
    return Visit.objects.filter(user=user, expire_date__gt=timezone.now())
