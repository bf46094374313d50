"""Addresses of self-service."""

from django.urls import URLPattern, URLResolver

from portal.catalogue.urls import urlpatterns as catalogue
from portal.flavors.urls import urlpatterns as flavors
from portal.keys.urls import urlpatterns as keys
from portal.projects.urls import urlpatterns as projects
from portal.requests.urls import urlpatterns as requests
from portal.telling.urls import urlpatterns as telling

urlpatterns: list[URLPattern | URLResolver] = [
    *projects,
    *telling,
    *flavors,
    *catalogue,
    *requests,
    *keys,
]
