"""What can be asked about flavors: make, change, order, remove."""

from dataclasses import dataclass
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.db.models import Max, ProtectedError

from guests.creation.wanted import (
    DISK_LEAST,
    DISK_MOST,
    MEMORY_LEAST,
    MEMORY_MOST,
    VCPUS_MAX,
)
from kvmweb.accounts import audit
from kvmweb.accounts.services import Asker
from kvmweb.errors import Conflict, Invalid, NotFound
from kvmweb.sizes import amount
from portal.flavors.models import Flavor

NAME_MAX, NOTE_MAX, POSITION_MAX = 63, 2000, 10_000
PRICE_MOST = Decimal(100_000)


@dataclass(frozen=True, slots=True)
class About:
    """All that people say of a flavor."""

    name: str
    vcpus: int
    memory_bytes: int
    disk_bytes: int
    note: str = ""
    price_per_hour: Decimal | None = None
    active: bool = True
    position: int | None = None  # None: behind the others

    def check(self) -> None:
        """Nothing. Raises Invalid naming each part that cannot be."""
        errors = {part: [words] for part, words in self._faults()}
        if errors:
            told = " ".join(each[0] for each in errors.values())
            raise Invalid(told, errors=errors)

    def _faults(self) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        if not (0 < len(self.name) <= NAME_MAX and self.name.isprintable()):
            found.append(("name", f"A name has 1 to {NAME_MAX} letters and signs."))
        if len(self.note) > NOTE_MAX:
            found.append(("note", f"Say it in at most {NOTE_MAX} letters."))
        if not 1 <= self.vcpus <= VCPUS_MAX:
            found.append(("vcpus", f"Give a number from 1 to {VCPUS_MAX}."))
        if not MEMORY_LEAST <= self.memory_bytes <= MEMORY_MOST:
            found.append(("memory_bytes", _range(MEMORY_LEAST, MEMORY_MOST)))
        if not DISK_LEAST <= self.disk_bytes <= DISK_MOST:
            found.append(("disk_bytes", _range(DISK_LEAST, DISK_MOST)))
        if not 0 <= (self.position or 0) <= POSITION_MAX:
            found.append(("position", f"Give a number from 0 to {POSITION_MAX}."))
        if not self._fits(self.price_per_hour):
            found.append(("price_per_hour", f"A price is from 0 to {PRICE_MOST}."))
        return found

    @staticmethod
    def _fits(price: Decimal | None) -> bool:
        return price is None or (price.is_finite() and 0 <= price <= PRICE_MOST)


def about(flavor: Flavor) -> About:
    """What is said of this one now."""
    return About(**{name: getattr(flavor, name) for name in About.__slots__})


def add(wish: About, *, by: Asker) -> Flavor:
    """A new flavor. Raises Invalid, and Conflict for a name that is taken."""
    wish.check()
    with transaction.atomic():
        flavor = Flavor()
        _take(flavor, wish)
        if wish.position is None:
            last = Flavor.objects.aggregate(last=Max("position"))["last"]
            flavor.position = 0 if last is None else last + 1
        else:
            flavor.position = wish.position
        _save(flavor)
        _record("flavor.add", flavor, by)
    return flavor


def edit(flavor: Flavor, wish: About, *, by: Asker) -> Flavor:
    """Say something else of it; what was asked for before stays as it was asked for.

    Raises as `add`.
    """
    wish.check()
    with transaction.atomic():
        _take(flavor, wish)
        if wish.position is not None:
            flavor.position = wish.position
        _save(flavor)
        _record("flavor.edit", flavor, by)
    return flavor


def delete(flavor: Flavor, *, by: Asker) -> None:
    """Remove it. Raises Conflict when somebody has asked for it: retire it then."""
    with transaction.atomic():
        _record("flavor.delete", flavor, by)
        try:
            with transaction.atomic():
                flavor.delete()
        except ProtectedError as error:
            raise Conflict(
                f"{flavor.name} is the size of {len(error.protected_objects)} requests.",
                hint="Retire it: then nobody can ask for it any more.",
            ) from error


def set_active(flavor: Flavor, *, active: bool, by: Asker) -> None:
    """Retire it, so that nobody can ask for it any more, or offer it again."""
    with transaction.atomic():
        Flavor.objects.filter(pk=flavor.pk).update(active=active)
        _record("flavor.offer" if active else "flavor.retire", flavor, by)


def move(flavor: Flavor, places: int, *, by: Asker) -> None:
    """So many places down among the others, up when negative; not beyond the ends."""
    with transaction.atomic():
        rows = list(Flavor.objects.select_for_update())
        here = next((at for at, it in enumerate(rows) if it.pk == flavor.pk), None)
        if here is None:
            raise NotFound("There is no such flavor.")
        rows.insert(max(0, here + places), rows.pop(here))
        for position, row in enumerate(rows):
            row.position = position
        Flavor.objects.bulk_update(rows, ["position"])
        _record("flavor.move", flavor, by)


def _take(flavor: Flavor, wish: About) -> None:
    for name in About.__slots__:
        if name != "position":
            setattr(flavor, name, getattr(wish, name))


def _save(flavor: Flavor) -> None:
    try:
        with transaction.atomic():
            flavor.save()
    except IntegrityError as error:
        message = f"There is a flavor {flavor.name} already."
        raise Conflict(message, field="name") from error


def _range(least: int, most: int) -> str:
    return f"Give from {amount(least)} to {amount(most)}."


def _record(action: str, flavor: Flavor, by: Asker) -> None:
    audit.record(
        action,
        actor=by.user,
        target=flavor.topic,
        outcome="succeeded",
        address=by.address,
        details={"name": flavor.name, "size": flavor.size, "active": flavor.active},
    )
