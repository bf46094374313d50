"""What the API of clones and templates takes."""

from pydantic import Field

from guests.cloning.services import Wish
from guests.creation.schemas import CloudIn
from kvmweb.doors import Strict


class CloneIn(Strict):
    """A clone, or `count` of them with numbered names."""

    name: str = Field(max_length=200)
    linked: bool = False
    host: int | None = Field(None, ge=1, le=2**63 - 1)
    start: bool = False
    count: int = 1
    cloud_init: CloudIn | None = None

    def wish(self) -> Wish:
        """The same for the service."""
        cloud = self.cloud_init.cloud() if self.cloud_init else None
        told = self.model_dump(exclude={"cloud_init"})
        return Wish(**told, cloud=cloud)


class TemplateIn(Strict):
    """Whether a guest is a template."""

    template: bool
