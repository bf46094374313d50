"""What the page of a new request offers in one project. A fixed number of queries."""

from dataclasses import dataclass

from guests.creation import osinfo
from guests.creation.choices import Groups
from kvmweb.accounts.models import Project, User
from portal.flavors import queries as flavors
from portal.flavors.models import Flavor
from portal.keys import queries as keys
from portal.projects import scopes
from portal.requests import asking


@dataclass(frozen=True, slots=True)
class Offers:
    """All lists of the page."""

    project: Project
    flavors: list[Flavor]
    images: Groups
    networks: Groups
    keys: Groups
    key_texts: dict[str, str]  # by the words of the list


def offers(project: Project, user: User) -> Offers:
    """What this person may ask for there, with the keys they keep."""
    scope = scopes.of(project.pk)
    images = []
    for image in asking.images(scope):
        system = osinfo.name_of(image.os) if image.os else ""
        images.append((str(image.pk), f"{image} ({system})" if system else str(image)))
    own = list(keys.of(user))
    return Offers(
        project=project,
        flavors=list(flavors.for_project(project)),
        images=[("", images)] if images else [],
        networks=[("", [(it, it) for it in asking.networks(scope)])],
        keys=[("", [(str(it.pk), it.name) for it in own])] if own else [],
        key_texts={str(it.pk): it.text for it in own},
    )
