"""Convoys on the pages of hosts, which know no guests."""

from django import template

from guests.draining import services
from guests.draining.models import Convoy, Home
from hosts.models import Host

register = template.Library()


@register.simple_tag
def away_from(host: Host) -> list[Home]:
    """The guests that left when it was emptied."""
    return services.away(host)


@register.simple_tag
def convoy_of(host: Host) -> Convoy | None:
    """What moves guests to or away from it just now."""
    return Convoy.objects.filter(host=host, ended_at=None).first()
