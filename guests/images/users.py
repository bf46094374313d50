"""What images keep from being deleted or written over: their copies on hosts."""

from guests.images.models import Image, ImageCopy
from hosts.storage.users import Asked, User, users


@users
def images(asked: Asked) -> dict[str, list[User]]:
    """The images whose content lies at these paths, as their users."""
    rows = ImageCopy.objects.filter(host__in=asked.hosts, path__in=list(asked.called))
    rows = rows.filter(image__state__in=(Image.State.BUILDING, Image.State.READY))
    found: dict[str, list[User]] = {}
    for row in rows.select_related("image"):
        image = row.image
        user = User(f"the image {image}", page=image.get_absolute_url())
        found.setdefault(row.path, []).append(user)
    return found
