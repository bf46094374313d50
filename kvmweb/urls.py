"""Which address leads to which door. Each app's own addresses hang below "/"."""

from django.urls import URLPattern, URLResolver, include, path

from kvmweb.api import api, docs, openapi
from kvmweb.health import healthz, metrics, readyz

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
    path("api/v1/openapi.json", openapi, name="openapi"),
    path("api/v1/docs", docs, name="docs"),
    path("api/v1/", api.urls),
    path("", include("kvmweb.accounts.urls")),
    path("", include("kvmweb.operations.urls")),
    path("", include("hosts.urls")),
    path("", include("guests.urls")),
    path("", include("guests.images.urls")),
    path("", include("portal.urls")),
]
handler400 = "kvmweb.answers.bad_request"
handler404 = "kvmweb.answers.not_found"
handler500 = "kvmweb.answers.failed"
