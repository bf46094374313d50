"""Reading the catalogue: only what can be asked for. A fixed number of queries."""

from dataclasses import dataclass

from django.db.models import QuerySet

from guests.images.models import Image
from hosts.models import Network
from kvmweb.accounts.models import Project, User
from portal.flavors import queries as flavors
from portal.flavors.models import Flavor
from portal.projects import scopes


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What can be asked for; networks are known only of one project."""

    flavors: list[Flavor]
    images: list[Image]
    networks: list[str]


def catalogue(user: User, project: Project | None) -> Catalogue:
    """What this person can ask for, in this project or in any. At most six queries."""
    if project is not None:
        return Catalogue(
            list(flavors.for_project(project)),
            list(images_for(project)),
            networks_for(project),
        )
    sizes = flavors.listing(user).filter(active=True)
    return Catalogue(list(sizes), list(images_of(user)), [])


def images_for(project: Project) -> QuerySet[Image]:
    """The images that guests of this project can be made of now. Two queries."""
    allowed = scopes.of(project.pk).images
    return _offered().filter(pk__in=allowed) if allowed else _offered()


def images_of(user: User) -> QuerySet[Image]:
    """Those that can be asked for in some project of theirs, or that no scope names."""
    return _offered().exclude(pk__in=scopes.elsewhere(user, "images"))


def networks_for(project: Project) -> list[str]:
    """Names of the networks that guests of this project can be on. Two queries."""
    allowed = scopes.of(project.pk).networks
    rows = Network.objects.filter(active=True).order_by("name")
    names = rows.values_list("name", flat=True).distinct()
    return [name for name in names if not allowed or name in allowed]


def _offered() -> QuerySet[Image]:
    return Image.objects.filter(state=Image.State.READY, offered=True)
