"""Addresses of self-service."""

from django.urls import URLPattern, URLResolver

from portal.catalogue.urls import urlpatterns as catalogue
from portal.flavors.urls import urlpatterns as flavors
from portal.projects.urls import urlpatterns as projects
from portal.telling.urls import urlpatterns as telling

urlpatterns: list[URLPattern | URLResolver] = [
    *projects,
    *telling,
    *flavors,
    *catalogue,
]
