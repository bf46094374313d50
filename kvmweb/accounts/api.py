"""The API of people: users, oneself, tokens, the audit record."""

from datetime import datetime, timedelta
from typing import Any, Literal

from django.http import HttpResponse
from django.utils import timezone
from ninja import Query, Router, Schema
from ninja.responses import Status
from pydantic import Field

from kvmweb.accounts import access, queries, services, tokens
from kvmweb.accounts.gate import Right, door, rights
from kvmweb.accounts.models import Project, Token, User
from kvmweb.accounts.requests import UserRequest
from kvmweb.accounts.services import Asker, Changes
from kvmweb.doors import Moment, Page, PageQuery, Strict, paged
from kvmweb.errors import Invalid, NotFound

router = Router()
Roles = Literal["admin", "operator", "user"]


class UserOut(Schema):
    """Somebody."""

    id: int
    username: str
    name: str
    email: str
    role: Roles
    is_active: bool
    created_at: datetime
    last_login: datetime | None


class Me(UserOut):
    """Oneself, and what one may do."""

    rights: list[str]
    token_scope: str | None
    token_project: int | None


class UserPatch(Strict):
    """What to change; what is left out stays."""

    name: str | None = Field(None, max_length=150)
    email: str | None = Field(None, max_length=254)
    role: Roles | None = None
    is_active: bool | None = None
    password: str | None = Field(None, max_length=1000)


class UserIn(UserPatch):
    """A new person; without a password they cannot sign in yet."""

    username: str = Field(min_length=1, max_length=64)


class TokenOut(Schema):
    """A token, without its text."""

    id: int
    name: str
    scope: Literal["read", "write"]
    project: int | None
    prefix: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None

    @staticmethod
    def resolve_project(token: Token | dict[str, Any]) -> int | None:
        """The id of the project it is for; None: all that its user may."""
        return token["project"] if isinstance(token, dict) else token.project_id


class TokenMade(TokenOut):
    """A new token with its text, which is shown this once."""

    token: str


class TokenIn(Strict):
    """What the new token is for; it ends at `expires_at`, or after `days`, or never.

    With `project` it reaches what is in that project, and nothing else.
    """

    name: str = Field(min_length=1, max_length=100)
    scope: Literal["read", "write"] = "write"
    project: int | None = Field(None, ge=1, le=2**62)
    expires_at: Moment | None = None
    days: int | None = Field(None, ge=1, le=3650)


class AuditOut(Schema):
    """What somebody did or was refused."""

    id: int
    at: datetime
    actor: str
    action: str
    target: str
    address: str
    outcome: str
    details: dict[str, Any]


class AuditQuery(PageQuery):
    """Which part of the audit record is asked for."""

    actor: str = Field("", max_length=150)
    action: str = Field("", max_length=64)
    outcome: str = Field("", max_length=16)
    target: str = Field("", max_length=200)


@router.get("users/", response=Page[UserOut], url_name="users")
@door(Right.MANAGE_USERS)
def users(request: UserRequest, query: Query[PageQuery]) -> dict[str, Any]:
    """Everybody."""
    words = ("id", "username", "name", "role", "created_at", "last_login")
    rows = queries.people(query.search)
    return paged(rows, query, ordering={word: word for word in words})


@router.post("users/", response={201: UserOut}, url_name="users")
@door(Right.MANAGE_USERS)
def add_user(request: UserRequest, body: UserIn) -> Status[User]:
    """Add somebody."""
    user = services.add(body.username, _changes(body), by=_asker(request))
    return Status(201, user)


@router.get("users/{int:user_id}/", response=UserOut, url_name="user")
@door(Right.MANAGE_USERS)
def user(request: UserRequest, user_id: int) -> User:
    """Somebody."""
    return access.person(request.user, user_id)


@router.patch("users/{int:user_id}/", response=UserOut, url_name="user")
@door(Right.MANAGE_USERS)
def edit_user(request: UserRequest, user_id: int, body: UserPatch) -> User:
    """Change somebody; a disabled one loses sessions and tokens at once."""
    person = access.person(request.user, user_id)
    return services.edit(person, _changes(body), by=_asker(request))


@router.delete("users/{int:user_id}/", response={204: None}, url_name="user")
@door(Right.MANAGE_USERS)
def delete_user(request: UserRequest, user_id: int) -> Status[None]:
    """Remove somebody; never oneself, never the last administrator."""
    services.delete(access.person(request.user, user_id), by=_asker(request))
    return Status(204, None)


@router.get("me/", response=Me, url_name="me")
@door(Right.SIGNED_IN)
def me(request: UserRequest) -> dict[str, Any]:
    """Who asks, and what they may do."""
    known = UserOut.from_orm(request.user).model_dump()
    token = request.token
    return known | {
        "rights": rights(request.user),
        "token_scope": token.scope if token else None,
        "token_project": token.project_id if token else None,
    }


@router.get("tokens/", response=Page[TokenOut], url_name="tokens")
@door(Right.SIGNED_IN)
def own_tokens(request: UserRequest, query: Query[PageQuery]) -> dict[str, Any]:
    """One's own tokens."""
    return _token_page(request.user, query)


@router.post("tokens/", response={201: TokenMade}, url_name="tokens")
@door(Right.SIGNED_IN)
def make_token(
    request: UserRequest, response: HttpResponse, body: TokenIn
) -> Status[dict[str, Any]]:
    """Make a token for oneself; its text is in this answer and nowhere else."""
    token, secret = tokens.make(
        request.user,
        body.name,
        scope=body.scope,
        expires_at=_end(body),
        by=_asker(request),
        project=_project(request.user, body.project),
        parent=request.token,
    )
    response.headers["Cache-Control"] = "no-store"
    made = TokenOut.from_orm(token).model_dump()
    return Status(201, made | {"token": secret.text})


@router.get(
    "users/{int:user_id}/tokens/", response=Page[TokenOut], url_name="user-tokens"
)
@door(Right.MANAGE_USERS)
def tokens_of_somebody(
    request: UserRequest, user_id: int, query: Query[PageQuery]
) -> dict[str, Any]:
    """Somebody's tokens."""
    return _token_page(access.person(request.user, user_id), query)


@router.get("tokens/{int:token_id}/", response=TokenOut, url_name="token")
@door(Right.SIGNED_IN)
def one_token(request: UserRequest, token_id: int) -> Token:
    """One of one's own tokens; to who manages people, anybody's."""
    return access.token(request.user, token_id)


@router.delete("tokens/{int:token_id}/", response={204: None}, url_name="token")
@door(Right.SIGNED_IN)
def revoke_token(request: UserRequest, token_id: int) -> Status[None]:
    """End one of one's own tokens; who manages people ends anybody's."""
    tokens.revoke(access.token(request.user, token_id), by=_asker(request))
    return Status(204, None)


@router.get("audit/", response=Page[AuditOut], url_name="audit")
@door(Right.SEE_AUDIT)
def audit(request: UserRequest, query: Query[AuditQuery]) -> dict[str, Any]:
    """The audit record, newest first."""
    filters = queries.AuditFilters(
        actor=query.actor,
        action=query.action,
        outcome=query.outcome,
        target=query.target,
        search=query.search,
    )
    words = ("at", "actor", "action", "target", "outcome", "address")
    rows = queries.audit(filters)
    return paged(rows, query, ordering={word: word for word in words})


def _token_page(user: User, query: PageQuery) -> dict[str, Any]:
    words = ("name", "scope", "created_at", "expires_at", "last_used_at")
    ordering = {word: word for word in words}
    rows = queries.tokens(user)
    return paged(rows, query, ordering=ordering, search=("name", "prefix"))


def _end(body: TokenIn) -> datetime | None:
    """When the token ends; None: never. Raises Invalid when that is said twice."""
    if body.days is None:
        return body.expires_at
    if body.expires_at is not None:
        sentence = "Say one of them: expires_at or days."
        raise Invalid(sentence, errors={"expires_at": [sentence], "days": [sentence]})
    return timezone.now() + timedelta(days=body.days)


def _project(user: User, project_id: int | None) -> Project | None:
    """The project a token is to be for. Raises Invalid when it is not theirs."""
    if project_id is None:
        return None
    try:
        return access.project(user, project_id)
    except NotFound as error:
        raise Invalid(error.detail, errors={"project": [error.detail]}) from error


def _asker(request: UserRequest) -> Asker:
    return Asker(request.user, request.client_address)


def _changes(body: UserPatch) -> Changes:
    return Changes(
        name=body.name,
        email=body.email,
        role=body.role,
        is_active=body.is_active,
        password=body.password,
    )
