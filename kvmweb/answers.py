"""How an error leaves the house: a problem document, a page, or the way to sign in.

Whoever was refused is in the audit record by the same step.
"""

import logging
from http import HTTPStatus
from typing import cast

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import RequestDataTooBig
from django.db import DataError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from kvmweb.accounts import audit
from kvmweb.accounts.gate import sees_all
from kvmweb.accounts.models import User
from kvmweb.accounts.requests import UserRequest
from kvmweb.bodylimit import TooLarge
from kvmweb.doors import PROBLEM_TYPE, is_api, problem
from kvmweb.errors import (
    AppError,
    Forbidden,
    Invalid,
    NotFound,
    NotKnown,
    TooMany,
    Unavailable,
)

log = logging.getLogger(__name__)
SAFE = ("GET", "HEAD", "OPTIONS")


class Malformed(AppError):
    """Not a request we can read."""

    status, code, title = 400, "malformed", "Bad request"


class Told(AppError):
    """Another's answer, told in our own words."""

    def __init__(self, status: int) -> None:
        phrase = HTTPStatus(status)
        super().__init__(f"{phrase.description or phrase.phrase}.")
        self.status = status
        self.code = phrase.name.lower()
        self.title = phrase.phrase


_NOWHERE = NotFound("There is nothing at this address.")
_EXPLAINED: tuple[tuple[tuple[type[Exception], ...], AppError], ...] = (
    ((Http404,), _NOWHERE),
    ((RequestDataTooBig,), TooLarge("The body is larger than what is taken here.")),
    ((OverflowError, DataError), Invalid("A value is out of range.")),
    (
        (OperationalError, InterfaceError),
        Unavailable("The database does not answer."),
    ),
)


def explain(error: Exception) -> AppError | None:
    """The error as one a person may read; None when it is a mistake of ours."""
    if isinstance(error, AppError):
        return error
    if isinstance(error, OperationalError | InterfaceError):
        log.error("The database failed: %s", error)
    for kinds, explained in _EXPLAINED:
        if isinstance(error, kinds):
            return explained
    return None


def refusal(request: HttpRequest, error: AppError) -> HttpResponse:
    """The answer to an error, and the audit's row when somebody was refused."""
    if isinstance(error, Unavailable):
        return answer(request, error)  # perhaps there is no database to write to
    hidden = error.hidden if isinstance(error, NotFound) else ""
    if (
        hidden
        or isinstance(error, Forbidden)
        or _stranger(request, error)
        or _probing(request, error)
    ):
        user = request.user
        audit.record_refusal(
            _action(request),
            actor=user if isinstance(user, User) else audit.NOBODY,
            target=hidden or request.path_info,
            address=cast(UserRequest, request).client_address,
            details={"status": error.status, "because": error.detail},
        )
    return answer(request, error)


def _stranger(request: HttpRequest, error: AppError) -> bool:
    """Whether somebody unknown tried; who opens a page is merely sent to sign in."""
    return isinstance(error, NotKnown) and (
        is_api(request) or request.method not in SAFE
    )


def _probing(request: HttpRequest, error: AppError) -> bool:
    """Whether somebody who sees not everything asked for what is not there.

    It is written down like what is not theirs, so that both cost the same time.
    """
    user = request.user
    known = isinstance(user, User) and not sees_all(user)
    return known and isinstance(error, NotFound) and error is not _NOWHERE


def _action(request: HttpRequest) -> str:
    """What was asked for, as the record names it."""
    match = request.resolver_match
    name = match.url_name if match else None
    return f"{request.method} {name or request.path_info}"


def answer(request: HttpRequest, error: AppError) -> HttpResponse:
    """The error as a problem document, a page, or the way to sign in."""
    if is_api(request):
        return problem(error)
    if isinstance(error, NotKnown) and request.method in SAFE:
        return redirect_to_login(request.get_full_path())
    response = render(request, "error.html", {"error": error}, status=error.status)
    if isinstance(error, TooMany):
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response


def as_problem(response: HttpResponse) -> HttpResponse:
    """This answer as a problem document, if it is not one yet."""
    if response.headers.get("Content-Type") == PROBLEM_TYPE:
        return response
    told = problem(Told(response.status_code))
    for name in ("Allow", "Retry-After", "WWW-Authenticate"):
        if name in response.headers:
            told.headers[name] = response.headers[name]
    return told


def not_found(request: HttpRequest, exception: object = None) -> HttpResponse:  # noqa: ARG001  Django calls it
    """There is nothing at this address."""
    return answer(request, NotFound("There is nothing at this address."))


def failed(request: HttpRequest) -> HttpResponse:
    """A mistake of ours: said so, without its insides."""
    return answer(request, AppError("This is a mistake in kvmweb; its log says more."))


def bad_request(request: HttpRequest, exception: object = None) -> HttpResponse:
    """What was sent cannot be taken."""
    if isinstance(exception, RequestDataTooBig):
        return answer(request, TooLarge("The body is larger than what is taken here."))
    return answer(request, Malformed("The request cannot be understood."))


def forged(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The CSRF token is missing or wrong: perhaps another site sent this."""
    log.info("A request without a valid CSRF token: %s", reason)
    error = Forbidden(
        "This request did not come from our own page.",
        hint="Load the page again, or send the X-CSRFToken header.",
    )
    return refusal(request, error)
