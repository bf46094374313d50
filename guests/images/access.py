"""The gate of images: the only way from a URL to one."""

from django.db.models import QuerySet

from guests.images.models import Image
from kvmweb.accounts.gate import Right, may, need
from kvmweb.accounts.models import User
from kvmweb.errors import NotFound


def visible(user: User) -> QuerySet[Image]:
    """The images this person may see: all of them, or none."""
    rows = Image.objects.all()
    return rows if may(user, Right.SEE_HOSTS) else rows.none()


def image(user: User, image_id: int, right: Right) -> Image:
    """This image, if the user has this right on it.

    Raises NotFound when they may not even see it, else Forbidden.
    """
    rows = visible(user)
    found = rows.filter(pk=image_id).first() if 0 < image_id < 2**63 else None
    if found is None:
        raise NotFound("There is no such image.")
    need(user, right)
    return found
