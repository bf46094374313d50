"""What the API of clones and templates takes."""

from ninja import Schema
from pydantic import ConfigDict, Field

from guests.cloning.services import Wish
from guests.creation.schemas import CloudIn


class CloneIn(Schema):
    """A clone, or `count` of them with numbered names."""

    model_config = ConfigDict(extra="forbid")

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


class TemplateIn(Schema):
    """Whether a guest is a template."""

    model_config = ConfigDict(extra="forbid")

    template: bool
