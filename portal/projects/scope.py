"""What may be used in a project, and what not. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Protocol

from kvmweb.errors import Invalid


class Thing(Protocol):
    """An image or a flavor: a row with an id, that reads as its name."""

    @property
    def pk(self) -> int:
        """Its id."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Of what is empty, all may be used."""

    networks: frozenset[str] = frozenset()
    images: frozenset[int] = frozenset()
    flavors: frozenset[int] = frozenset()
    host_tags: frozenset[str] = frozenset()

    def told(self) -> dict[str, list[str] | list[int]]:
        """As JSON, in order."""
        return {each.name: sorted(getattr(self, each.name)) for each in fields(self)}

    def allows_host(self, tags: Iterable[str]) -> bool:
        """Whether guests may be on a host with these tags."""
        return not self.host_tags or not self.host_tags.isdisjoint(tags)


ANYTHING = Scope()


def need_allowed(
    scope: Scope, flavor: Thing | None, image: Thing | None, network: str = ""
) -> None:
    """Nothing. Raises Invalid naming each part that may not be used in the project.

    What is not wanted at all (None, "") needs no leave.
    """
    errors: dict[str, list[str]] = {}
    if flavor is not None and scope.flavors and flavor.pk not in scope.flavors:
        errors["flavor"] = [f"The flavor {flavor} is not for this project."]
    if image is not None and scope.images and image.pk not in scope.images:
        errors["image"] = [f"The image {image} is not for this project."]
    if network and scope.networks and network not in scope.networks:
        errors["network"] = [f"The network {network} is not for this project."]
    if errors:
        told = " ".join(each[0] for each in errors.values())
        raise Invalid(told, errors=errors)
