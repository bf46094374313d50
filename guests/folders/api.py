"""The API of folders: what lies in them, limits on them, guests moved between them."""

from typing import Any

from ninja import Query, Router
from ninja.responses import Status

from guests.folders import access, queries, services
from guests.folders.queries import Limited
from guests.folders.schemas import (
    FolderMoveIn,
    FolderOut,
    LimitIn,
    LimitOut,
    LimitPatch,
    RenameIn,
    RetaggedOut,
)
from guests.folders.services import Limits
from kvmweb import doors
from kvmweb.accounts.gate import Right, door, sees_all
from kvmweb.accounts.requests import UserRequest
from kvmweb.accounts.services import Asker
from kvmweb.ordering import ordered

router = Router(tags=["guests"])


@router.get("", response=doors.Page[FolderOut], url_name="folders")
@door(Right.SEE)
def listing(request: UserRequest, query: Query[doors.PageQuery]) -> dict[str, Any]:
    """The folders of the guests you may see; limits only for who sees every guest."""
    ordered(query.ordering or "path", {"path": "path"})
    whole = sees_all(request.user)
    limits = {it.limit.path: it for it in queries.limits()} if whole else {}
    found = {it.path: it for it in queries.folders(request.user)}
    wanted = sorted(
        (it for it in {*found, *limits} if query.search.lower() in it),
        key=lambda it: it.split("/"),
        reverse=query.ordering.startswith("-"),
    )
    part = wanted[query.offset : query.offset + query.limit]
    items = [
        {
            "path": path,
            "guests": found[path].guests if path in found else 0,
            "running": found[path].running if path in found else 0,
            "alarming": found[path].alarming if path in found else 0,
            "limit": _limit(limits[path]) if path in limits else None,
        }
        for path in part
    ]
    return {"items": items, "count": len(wanted)}


@router.post("", response={201: LimitOut}, url_name="folders")
@door(Right.LIMIT_FOLDERS)
def limit(request: UserRequest, body: LimitIn) -> Status[dict[str, Any]]:
    """Limit a folder and all below it; what lies there already stays."""
    row = services.limit(body.path, body.limits(Limits()), by=_asker(request))
    return Status(201, _limit(queries.limited(row)))


@router.post("move/", response=RetaggedOut, url_name="folders-move")
@door(Right.EDIT)
def move(request: UserRequest, body: FolderMoveIn) -> dict[str, int]:
    """Put guests into a folder, all or none: tags are taken away and given."""
    changed = services.move(
        body.guests, body.to, source=body.source, by=_asker(request)
    )
    return {"changed": len(changed), "left": 0}


@router.post("rename/", response=RetaggedOut, url_name="folders-rename")
@door(Right.EDIT)
def rename(request: UserRequest, body: RenameIn) -> dict[str, int]:
    """Give a folder another path: the tags of all guests there that you may edit."""
    changed, left = services.rename(body.path, body.to, by=_asker(request))
    return {"changed": len(changed), "left": left}


@router.get("{int:limit_id}/", response=LimitOut, url_name="folder")
@door(Right.SEE_HOSTS)
def detail(request: UserRequest, limit_id: int) -> dict[str, Any]:
    """One limit, and what is used or promised of it."""
    row = access.limit(request.user, limit_id, Right.SEE_HOSTS)
    return _limit(queries.limited(row))


@router.patch("{int:limit_id}/", response=LimitOut, url_name="folder")
@door(Right.LIMIT_FOLDERS)
def change(request: UserRequest, limit_id: int, body: LimitPatch) -> dict[str, Any]:
    """Other numbers for a limit."""
    row = access.limit(request.user, limit_id, Right.LIMIT_FOLDERS)
    limits = body.limits(services.limits_of(row))
    row = services.change_limit(row, limits, by=_asker(request))
    return _limit(queries.limited(row))


@router.delete("{int:limit_id}/", response={204: None}, url_name="folder")
@door(Right.LIMIT_FOLDERS)
def unlimit(request: UserRequest, limit_id: int) -> Status[None]:
    """Limit the folder no more; its guests stay in it."""
    row = access.limit(request.user, limit_id, Right.LIMIT_FOLDERS)
    services.unlimit(row, by=_asker(request))
    return Status(204, None)


def _asker(request: UserRequest) -> Asker:
    return Asker(request.user, request.client_address)


def _limit(limited: Limited) -> dict[str, Any]:
    row = limited.limit
    return {
        "id": row.pk,
        "path": row.path,
        "note": row.note,
        "limit": {
            "guests": row.guests,
            "vcpus": row.vcpus,
            "memory_bytes": row.memory_bytes,
            "disk_bytes": row.disk_bytes,
        },
        "used": limited.used.told(),
    }
