"""What a token for one project opens: all of that project, and nothing else of its user.

Denied by default: a new door is shut to such tokens until it stands here, and whoever
adds it sees to it that what is behind asks the project (kvmweb.accounts.gate.roles_of).
"""

from kvmweb.accounts.models import Token
from kvmweb.errors import Forbidden

_ROOT = "/api/v1/"
_OPEN = (
    *("tokens/", "projects/", "flavors/", "catalogue/", "requests/"),
    *("guests/", "operations/", "leases/", "machines/"),
)
_SHOWN = tuple(f"{_ROOT}{page}" for page in ("me/", "openapi.json", "docs"))


def need_reach(token: Token, path: str) -> None:
    """Nothing, unless the token is for one project and this is not in projects.

    Raises Forbidden.
    """
    if token.project_id is None or path in _SHOWN:
        return
    if not path.startswith(tuple(f"{_ROOT}{room}" for room in _OPEN)):
        raise Forbidden("This token is for one project; this is in none.")
