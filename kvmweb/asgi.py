"""The one way in: pages and API to Django, sockets and contents to their applications.

Uvicorn hands every request here. A socket's query string is taken out of what the
server logs, because tokens and tickets travel in it.
"""

import os
import re
from typing import Any

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.utils.module_loading import import_string

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kvmweb.settings")
django = get_asgi_application()  # also loads the apps that the sockets stand on
limited = import_string("kvmweb.bodylimit.BodyLimit")  # reads settings: only now
pages = limited(django, settings.DATA_UPLOAD_MAX_MEMORY_SIZE)

# The longest beginning that fits wins. Console's own table is in its application.
SOCKETS = {
    "/ws/live/": "kvmweb.live.consumer.live",
    "/ws/console/": "guests.consumers.console",
}
# What is passed on as it comes, without an end in sight: no limit of a body's size.
_CONTENT = re.compile(r"/api/v1/(?:volumes|images)/\d+/content/")
contents = import_string("hosts.storage.streaming.Content")(django)


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Serve one HTTP request or one socket."""
    if scope["type"] == "http" and _CONTENT.fullmatch(scope["path"]):
        await contents(scope, receive, send)
    elif scope["type"] == "http":
        await pages(scope, receive, send)
    elif scope["type"] == "websocket":
        await _socket(scope, receive, send)


async def _socket(scope: dict[str, Any], receive: Any, send: Any) -> None:
    fits = [start for start in SOCKETS if scope["path"].startswith(start)]
    if not fits:
        await receive()
        await send({"type": "websocket.close"})  # before accepting: a plain 403
        return
    serve = import_string(SOCKETS[max(fits, key=len)])
    private = dict(scope)
    scope["query_string"] = b""
    await serve(private, receive, send)
