"""What the form of a project offers to be allowed. A fixed number of queries."""

from collections.abc import Iterable

from guests.images.models import Image
from hosts.models import Host, Network
from portal.flavors.models import Flavor
from portal.projects.scope import ANYTHING, Scope

Options = list[tuple[str, str]]


def offers(now: Scope = ANYTHING) -> dict[str, Options]:
    """Values and words for each part; what is allowed now is among them. Four queries."""
    images = Image.objects.exclude(state=Image.State.DELETING)
    tags = {tag for told in Host.objects.values_list("tags", flat=True) for tag in told}
    names = Network.objects.order_by("name").values_list("name", flat=True)
    return {
        "networks": _words({*names.distinct(), *now.networks}),
        "images": _rows(((it.pk, str(it)) for it in images), now.images),
        "flavors": _rows(
            ((it.pk, str(it)) for it in Flavor.objects.all()), now.flavors
        ),
        "host_tags": _words(tags | now.host_tags),
    }


def _words(names: Iterable[str]) -> Options:
    return [(name, name) for name in sorted(names)]


def _rows(there: Iterable[tuple[int, str]], now: Iterable[int]) -> Options:
    found = dict(there)
    gone = {pk: f"{pk} (deleted)" for pk in sorted(now) if pk not in found}
    return [(str(pk), words) for pk, words in (found | gone).items()]
