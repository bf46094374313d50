"""Nothing that anybody may use is destroyed: rows are asked, then every host that knows.

libvirt protects nothing that is in use.
"""

from collections.abc import Collection, Sequence

from hosts.models import Pool
from hosts.services import address_of
from hosts.storage import users
from hosts.storage.sharing import Sharing
from hosts.storage.users import User
from kvmweb.virt import connection, storage


def need_free(sharing: Sharing, paths: Collection[str], doing: str) -> None:
    """Nothing. Raises Conflict when rows know of a user, or a host cannot be asked."""
    sharing.need_answers()
    users.need_none(users.of_paths(sharing, paths, together=True), doing)


def need_free_there(sharing: Sharing, paths: Sequence[str], doing: str) -> None:
    """The same, and asks every host that sees this storage. For workers.

    Raises HostError when one of them cannot say.
    """
    need_free(sharing, paths, doing)
    if not paths:
        return
    for host in sharing.hosts():
        with connection.connect(address_of(host)) as there:
            told = there.run(storage.users_of, tuple(paths))
            found = {
                path: [User(f"{user.name} on {host.name}") for user in each]
                for path, each in told.items()
            }
            users.need_none(found, doing)
            above = there.run(storage.standing_on, tuple(paths))
        users.need_none(
            {path: [User(f"the volume {name}")] for path, name in above.items()}, doing
        )


def paths_of(pool: Pool) -> list[str]:
    """What lies in a pool, by rows."""
    paths = pool.volumes.exclude(path="").values_list("path", flat=True)
    return list(paths)
