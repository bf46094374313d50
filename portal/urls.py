"""Addresses of self-service."""

from django.urls import URLPattern, URLResolver

from portal.catalogue.urls import urlpatterns as catalogue
from portal.flavors.urls import urlpatterns as flavors
from portal.keys.urls import urlpatterns as keys
from portal.leases.urls import urlpatterns as leases
from portal.machines.urls import urlpatterns as machines
from portal.projects.urls import urlpatterns as projects
from portal.requests.urls import urlpatterns as requests
from portal.showback.urls import urlpatterns as showback
from portal.telling.urls import urlpatterns as telling

urlpatterns: list[URLPattern | URLResolver] = [
    *machines,
    *leases,
    *projects,
    *telling,
    *showback,
    *flavors,
    *catalogue,
    *requests,
    *keys,
]
