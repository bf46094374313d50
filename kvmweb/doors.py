"""The frame of every door of the API: pages of lists, problems, answers, strict JSON.

`GET` lists take `Query[PageQuery]` and answer `Page[Out]` made by `paged`; a POST that
changes a hypervisor answers `accepted(operation)`; errors are raised, never returned.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, NoReturn, TypeVar, get_args

from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from ninja import Field, Schema
from ninja.parser import Parser
from ninja.responses import Status
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    ConfigDict,
    ValidationInfo,
    field_validator,
)

from kvmweb.errors import AppError, Conflict, Invalid, TooMany
from kvmweb.ordering import ordered

T = TypeVar("T")
Row = TypeVar("Row", bound=Model)

API = "/api/"
PROBLEM_TYPE = "application/problem+json"
MAX_INT = 2**63 - 1  # what the databases can hold
_UNCLEAN = re.compile("[\0\ud800-\udfff]")
_RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


class Problem(Schema):
    """What went wrong, as RFC 9457 says it (application/problem+json)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    hint: str | None = None
    errors: dict[str, list[str]] | None = None
    operation: str | None = None


class Sent(Schema):
    """A body as somebody sends it: true and false are no numbers."""

    @field_validator("*", mode="before", check_fields=False)
    @classmethod
    def _no_boolean(cls, value: Any, field: ValidationInfo) -> Any:
        """Refuse what Python, and so pydantic, would count as 1 and 0."""
        if _holds_boolean(value) and field.field_name:
            kinds = list(_kinds(cls.model_fields[field.field_name].annotation))
            if any(it is int or it is float for it in kinds) and bool not in kinds:
                raise ValueError("Neither true nor false is a number")
        return value


class Strict(Sent):
    """A body that may hold only the fields it names."""

    model_config = ConfigDict(extra="forbid")


def _moment(told: object) -> object:
    """What was told. Raises ValueError when it is no text, or not of this form."""
    if not isinstance(told, str) or not _RFC_3339.fullmatch(told):
        raise ValueError("Give a time as RFC 3339 says it: 2030-01-31T12:00:00Z")
    return told


def _as_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("There is no such time in UTC") from error


# A time in a body: a text with its zone, never a number; in UTC then.
Moment = Annotated[AwareDatetime, BeforeValidator(_moment), AfterValidator(_as_utc)]


class PageQuery(Schema):
    """Which part of a list is asked for."""

    limit: int = Field(50, ge=1, le=500)
    offset: int = Field(0, ge=0, le=2**31)
    search: str = Field("", max_length=200)
    ordering: str = Field("", max_length=200)


class Page(Schema, Generic[T]):
    """Part of a list, and how long the whole of it is."""

    items: list[T]
    count: int


def paged(
    rows: QuerySet[Row],
    query: PageQuery,
    *,
    ordering: Mapping[str, str | Sequence[str]],
    search: Sequence[str] = (),
) -> dict[str, Any]:
    """The asked page of these rows, as `Page` wants it; two queries.

    `ordering` maps the words a caller may use ("name", also "-name") to columns; `search`
    names the columns looked through. Raises Invalid for any other word.
    """
    if query.search and search:
        found = Q()
        for column in search:
            found |= Q((f"{column}__icontains", query.search))
        rows = rows.filter(found)
    if query.ordering:
        rows = rows.order_by(*ordered(query.ordering, ordering))
    return {
        "items": list(rows[query.offset : query.offset + query.limit]),
        "count": rows.count(),
    }


def accepted(operation: T) -> Status[T]:
    """Answer 202 with this operation; the frame adds its Location."""
    return Status(202, operation)


def is_api(request: HttpRequest) -> bool:
    """Whether a program asks, who wants a problem document and not a page."""
    return request.path_info.startswith(API)


def problem(error: AppError) -> HttpResponse:
    """The error as a problem document."""
    body: dict[str, Any] = {
        "type": f"urn:kvmweb:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
    }
    if error.hint:
        body["hint"] = error.hint
    if isinstance(error, Invalid) and error.errors:
        body["errors"] = error.errors
    if isinstance(error, Conflict) and error.operation:
        body["operation"] = error.operation
    response = HttpResponse(
        json.dumps(body),
        status=error.status,
        content_type=PROBLEM_TYPE,
        headers={"Cache-Control": "no-store"},
    )
    if isinstance(error, TooMany):
        response.headers["Retry-After"] = str(error.retry_after_s)
    if error.status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="kvmweb"'
    return response


class StrictParser(Parser):
    """JSON as the RFC has it: UTF-8, finite numbers, no NUL and no half characters."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        """The body's value. Raises Invalid with a sentence that says where it is wrong."""
        try:
            body: dict[str, Any] = json.loads(
                request.body.decode(), parse_constant=_no_constant
            )
        except UnicodeDecodeError as error:
            raise Invalid("The body is not UTF-8.") from error
        except RecursionError as error:
            raise Invalid("The body is nested too deeply.") from error
        except ValueError as error:
            raise Invalid(f"The body is not JSON: {error}.") from error
        try:
            _need_clean(body)
        except RecursionError as error:
            raise Invalid("The body is nested too deeply.") from error
        return body


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _need_clean(value: object) -> None:
    """Nothing. Raises Invalid for text or numbers that no database could keep."""
    if isinstance(value, str):
        need_clean_text(value)
    elif isinstance(value, int | float) and not -MAX_INT - 1 <= value <= MAX_INT:
        raise Invalid("The body holds a number that is too big.")
    elif isinstance(value, dict):
        for key, inner in value.items():
            _need_clean(key)
            _need_clean(inner)
    elif isinstance(value, list):
        for inner in value:
            _need_clean(inner)


def need_clean_text(text: str) -> None:
    """Nothing. Raises Invalid for a NUL or half of a surrogate pair."""
    if _UNCLEAN.search(text):
        raise Invalid("Text may hold neither NUL characters nor lone surrogates.")


def _holds_boolean(value: object) -> bool:
    if isinstance(value, list):
        return any(_holds_boolean(inner) for inner in value)
    return isinstance(value, bool)


def _kinds(annotation: Any) -> Iterator[Any]:
    """The types a field may have, also those within lists."""
    inner = get_args(annotation)
    if not inner:
        yield annotation
    for each in inner:
        yield from _kinds(each)
