"""The API's frame: routers, who may call, how errors leave, and what OpenAPI says.

Routers hang below /api/v1/: hosts.api.router at hosts/, guests.api.router at guests/,
kvmweb.operations.api.router at operations/, kvmweb.accounts.api.router at the root.
"""

from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from ninja.openapi.schema import OpenAPISchema
from ninja.security import HttpBearer
from ninja.security.apikey import APIKeyCookie

from kvmweb import answers
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.models import User
from kvmweb.doors import StrictParser, problem
from kvmweb.errors import AppError, Invalid, NotKnown
from kvmweb.openapi import complete

ROOT = "/api/v1/"
DESCRIPTION = """Everything the pages do. What changes a hypervisor answers 202 with an \
operation and its `Location`; errors are RFC 9457 problem documents; sizes are bytes; \
times are RFC 3339 UTC. POSTs take an `Idempotency-Key`."""


class ByToken(HttpBearer):
    """`Authorization: Bearer kvw_…`; kvmweb.middleware.People has looked it up."""

    def authenticate(self, request: HttpRequest, token: str) -> User | None:
        """The token's user."""
        return request.user if isinstance(request.user, User) else None


class BySession(APIKeyCookie):
    """The browser's session; its CSRF token was checked on the way here."""

    param_name = "sessionid"

    def authenticate(self, request: HttpRequest, key: str | None) -> User | None:
        """The session's user."""
        return request.user if isinstance(request.user, User) else None


class Api(NinjaAPI):
    """Ninja's API, whose doors pass the house's own gate and CSRF check."""

    def create_response(
        self,
        request: HttpRequest,
        data: Any,
        *,
        status: int | None = None,
        temporal_response: HttpResponse | None = None,
    ) -> HttpResponse:
        """The answer; an accepted operation is also named in Location."""
        response = super().create_response(
            request, data, status=status, temporal_response=temporal_response
        )
        if response.status_code == 202 and isinstance(data, dict) and "id" in data:
            response.headers["Location"] = f"{ROOT}operations/{data['id']}/"
        return response

    def get_openapi_schema(
        self,
        *,
        path_prefix: str | None = None,
        path_params: dict[str, Any] | None = None,
    ) -> OpenAPISchema:
        """What the API takes and answers, its errors too."""
        return complete(super().get_openapi_schema(path_prefix=path_prefix or ROOT))

    def get_openapi_operation_id(self, operation: Any) -> str:
        """`guests_start`, not the module's path."""
        module, name = operation.view_func.__module__, operation.view_func.__name__
        return f"{module.split('.')[-2]}_{name}"

    def _get_urls(self) -> list[Any]:
        return list(self._doors())

    def _doors(self) -> Iterator[URLPattern]:
        """Every address, with the right that each of its methods declares."""
        for bound in self._get_bound_routers():
            views = [v for v in bound.path_operations.values() for _ in v.operations]
            addresses = bound.urls_paths(bound.prefix)
            for pattern, view in zip(addresses, views, strict=True):
                door_of: Any = pattern.callback
                door_of.csrf_exempt = False  # Django's own check is ours
                door_of.rights = {
                    method: getattr(operation.view_func, "right", None)
                    for operation in view.operations
                    for method in operation.methods
                }
                yield pattern


api = Api(
    title="kvmweb",
    version="1",
    description=DESCRIPTION,
    urls_namespace="api",
    auth=[ByToken(), BySession(csrf=False)],
    parser=StrictParser(),
    docs_url=None,
    openapi_url=None,
)
api.add_router("", "kvmweb.accounts.api.router", tags=["people"])
api.add_router("", "kvmweb.accounts.sessions.api.router", tags=["people"])
api.add_router("operations/", "kvmweb.operations.api.router", tags=["operations"])
api.add_router("hosts/", "hosts.api.router", tags=["hosts"])
api.add_router("", "hosts.api.parts", tags=["hosts"])
api.add_router("guests/", "guests.api.router", tags=["guests"])
api.add_router("images/", "guests.images.api.router", tags=["images"])
api.add_router("guests/", "guests.snapshots.api.router", tags=["guests"])
api.add_router("guests/", "guests.cloning.api.router", tags=["guests"])
api.add_router("guests/", "guests.migration.api.router", tags=["guests"])
api.add_router("guests/", "guests.migration.check_api.router", tags=["guests"])
api.add_router("moves/", "guests.proof.api.router", tags=["moves"])
api.add_router("canary/", "guests.canary.api.router", tags=["moves"])
api.add_router("hosts/", "guests.draining.api.router", tags=["hosts"])
api.add_router("balance/", "guests.balance.api.router", tags=["balance"])
api.add_router("folders/", "guests.folders.api.router", tags=["guests"])
api.add_router("views/", "guests.folders.saved_api.router", tags=["guests"])
api.add_router("operations/", "guests.draining.api.convoys", tags=["operations"])
api.add_router("projects/", "portal.projects.api.router", tags=["projects"])
api.add_router("flavors/", "portal.flavors.api.router", tags=["projects"])
api.add_router("catalogue/", "portal.catalogue.api.router", tags=["projects"])
api.add_router("leases/", "portal.leases.api.router", tags=["leases"])
api.add_router("guests/", "portal.leases.api.of_guests", tags=["leases"])
api.add_router("projects/", "portal.leases.api.of_projects", tags=["leases"])
api.add_router("guests/", "portal.machines.api.router", tags=["guests"])
api.add_router("requests/", "portal.requests.api.router", tags=["requests"])
api.add_router("me/keys/", "portal.keys.api.router", tags=["people"])
api.add_router("", "portal.telling.api.router", tags=["notices"])
api.add_router("", "portal.showback.api.router", tags=["use"])


@api.exception_handler(AppError)
def tell(request: HttpRequest, error: AppError) -> HttpResponse:
    """Ours: said as it is."""
    return answers.refusal(request, error)


@api.exception_handler(ValidationError)
def tell_invalid(_request: HttpRequest, error: ValidationError) -> HttpResponse:
    """What was sent does not fit: which field, and why."""
    errors: dict[str, list[str]] = {}
    for each in error.errors:
        place = [it for part in each["loc"][1:] if _names_a_field(it := str(part))]
        if each["loc"][0] in ("body", "query") and len(place) > 1:
            place = place[1:]  # without the parameter's own name
        sentence = str(each["msg"]).removeprefix("Value error, ").rstrip(".") + "."
        errors.setdefault(".".join(place) or "body", []).append(sentence)
    return problem(Invalid("Something sent here is not valid.", errors=errors))


def _names_a_field(part: str) -> bool:
    """Not so the name of a validator, or of one of several types a field may have."""
    return "[" not in part and part not in {"str", "int"}


@api.exception_handler(HttpError)
def tell_http(request: HttpRequest, error: HttpError) -> HttpResponse:
    """Ninja's own: a body that is no JSON, or nobody known."""
    cause = error.__cause__
    if isinstance(cause, AppError):
        return problem(cause)
    if error.status_code == 401:
        return tell(request, NotKnown("Sign in first, or send a valid token."))
    if error.status_code == 400:
        return problem(Invalid("The body cannot be read."))
    return problem(answers.Told(error.status_code))


@api.exception_handler(Exception)
def tell_else(request: HttpRequest, error: Exception) -> HttpResponse:
    """What the database or Django said; a mistake of ours goes on as a 500."""
    explained = answers.explain(error)
    if explained is None:
        raise error
    return answers.refusal(request, explained)


@door(Right.PUBLIC)
def openapi(_request: HttpRequest) -> HttpResponse:
    """The API's description for programs."""
    return api.create_response(_request, api.get_openapi_schema(), status=200)


@door(Right.PUBLIC)
def docs(request: HttpRequest) -> HttpResponse:
    """The API's description for people."""
    return render(request, "docs.html", {"settings": {"url": f"{ROOT}openapi.json"}})
