"""What a view says to the stream around it; see hosts.storage.streaming."""

import re

from django.http import HttpRequest, HttpResponse
from django.utils.encoding import iri_to_uri

from kvmweb.errors import Unavailable
from kvmweb.operations.models import Operation

MARK = "kvmweb.content"  # in the scope: the content follows, or is waited for
HEADER = "X-Kvmweb-Operation"  # from the view to the stream; it never leaves


def need_stream(request: HttpRequest) -> None:
    """Nothing, if content can pass. Raises Unavailable outside of the web process."""
    if MARK not in getattr(request, "scope", {}):
        raise Unavailable("Content passes through the web process only.")


def length_of(request: HttpRequest) -> int | None:
    """How long the body was said to be."""
    scope = getattr(request, "scope", {})
    length: int | None = scope.get(MARK, {}).get("length_bytes")
    return length


def name(operation: Operation, response: HttpResponse) -> None:
    """Say which operation takes or gives the content."""
    response.headers[HEADER] = str(operation.pk)


def file(operation: Operation, filename: str) -> HttpResponse:
    """The answer before the content of a file of this name."""
    response = HttpResponse(content_type="application/octet-stream")
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", filename)
    response.headers["Content-Disposition"] = (
        f"attachment; filename=\"{plain}\"; filename*=UTF-8''{iri_to_uri(filename)}"
    )
    response.headers["Cache-Control"] = "no-store"
    name(operation, response)
    return response
