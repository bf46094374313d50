"""What every request passes: who asks, the declared right, and errors told as they are.

From outside in: ContentSecurityPolicy, Answers (errors of the API become problems),
StaticFiles, Django's own, People (who asks, from where), Doors (may they).
"""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import cast
from urllib.parse import unquote

from django.contrib.auth.models import AnonymousUser
from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from kvmweb import answers
from kvmweb.accounts import bearer
from kvmweb.accounts.gate import need
from kvmweb.accounts.models import Token, User
from kvmweb.accounts.reach import need_reach
from kvmweb.accounts.requests import UserRequest, client_address
from kvmweb.accounts.routes import declared
from kvmweb.accounts.second import half
from kvmweb.doors import is_api, need_clean_text
from kvmweb.errors import AppError, Forbidden, Invalid, NotFound, NotKnown

Answer = Callable[[HttpRequest], HttpResponse]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
SLASH = "There is nothing at this address: each ends with a slash."
TOKEN_DOORS = ("/api/", "/metrics")  # elsewhere only a browser's session counts


class ContentSecurityPolicy:
    """Nothing inline, nothing from elsewhere."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        return response


class Answers:
    """Whatever goes wrong under /api/ is a problem document, whoever noticed it."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            need_clean_text(unquote(request.META.get("QUERY_STRING", "")))
            need_clean_text(request.path_info)
        except Invalid as error:
            return answers.answer(request, error)
        response = self.get_response(request)
        response.headers.setdefault("Cache-Control", "private, no-cache")
        if not is_api(request):
            return response
        if response.status_code >= HTTPStatus.BAD_REQUEST:
            return answers.as_problem(response)
        if response.status_code == HTTPStatus.MOVED_PERMANENTLY and _changes(request):
            return answers.answer(request, NotFound(SLASH))  # else asked again by GET
        return response


class StaticFiles:
    """Static files in one piece: as a stream, ASGI would read them whole and complain."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase = self.get_response(request)
        if not isinstance(response, FileResponse):
            return response
        whole = HttpResponse(
            b"".join(cast(Iterable[bytes], response)), status=response.status_code
        )
        whole.headers = response.headers
        response.close()
        return whole


class People:
    """Says who asks and from where: a token's user, else the session's."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        asked = cast(UserRequest, request)
        asked.client_address = client_address(request)
        asked.token = None
        text = bearer.in_header(request.headers.get("Authorization", ""))
        if text is not None and request.path_info.startswith(TOKEN_DOORS):
            # A browser never adds this header by itself: no forgery across sites.
            request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]
            request.user = AnonymousUser()
            asked.token = bearer.find(text)
            if asked.token is None:
                return answers.refusal(request, NotKnown("This token is not valid."))
            request.user = asked.token.user
        elif half.demanded() and not _stands(request):
            request.user = AnonymousUser()
        return self.get_response(request)


class Doors:
    """Shuts every door that declares no right, or one that the sender has not."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self,
        request: HttpRequest,
        view: Callable[..., HttpResponse],
        _args: object,
        _kwargs: object,
    ) -> HttpResponse | None:
        """Ask the gate before anything of the body is read."""
        try:
            right = declared(view, request.method)
            if right is None:
                raise Forbidden("This door declares no right, so it is shut.")
            need(request.user, right)
            _need_scope(cast(UserRequest, request))
        except AppError as error:
            return answers.refusal(request, error)
        return None

    def process_exception(
        self, request: HttpRequest, error: Exception
    ) -> HttpResponse | None:
        """Tell what a view raised; what is not ours to tell goes on as a 500."""
        explained = answers.explain(error)
        return answers.refusal(request, explained) if explained else None


def _stands(request: HttpRequest) -> bool:
    """Whether the session's user has shown what their role has to show."""
    user = request.user
    return not isinstance(user, User) or half.stands(request.session, user)


def _changes(request: HttpRequest) -> bool:
    return request.method not in answers.SAFE


def _need_scope(request: UserRequest) -> None:
    """Nothing, unless a token for reading is used to change something."""
    token = request.token
    if token and token.scope == Token.Scope.READ and _changes(request):
        raise Forbidden("This token may only read.")
    if token:
        need_reach(token, request.path_info)
