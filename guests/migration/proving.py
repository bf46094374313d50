"""Whether two hosts see one storage, tried with a sentinel and kept. In a worker."""

from guests.migration import known
from hosts.models import Host
from hosts.services import address_of
from kvmweb.virt import connection, sentinel


def prove(one: Host, other: Host, pool: str, other_pool: str, path: str) -> bool:
    """Whether what is made in the pool of one host is seen in the other's, at this path.

    The sentinel is taken away again. Raises HostError when one of the two cannot be
    asked: then nothing is known, and what was known before stays.
    """
    with (
        connection.connect(address_of(one)) as here,
        connection.connect(address_of(other)) as there,
    ):
        name = here.run(sentinel.write, pool)
        try:
            ok = there.run(sentinel.is_seen, other_pool, name, patient=False)
            if not ok and _may_lag(there, other_pool):
                ok = there.run(sentinel.is_seen, other_pool, name, patient=True)
        finally:
            here.run(sentinel.remove, pool, name)
        if ok:
            there.run(sentinel.forget, other_pool)
    seen = "saw" if ok else "did not see"
    sentence = f"{other.name} {seen} in {other_pool} what was written on {one.name}."
    known.keep_proof(one, other, path, ok=ok, sentence=sentence)
    return ok


def _may_lag(there: connection.Host, pool: str) -> bool:
    """Whether a file may show there later than it was made elsewhere."""
    return there.run(sentinel.is_remote, pool)
