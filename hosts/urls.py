"""Addresses of hosts."""

from django.urls import include, path

from hosts import views

urlpatterns = [
    path("", include("hosts.networks.urls")),
    path("", include("hosts.storage.urls")),
    path("hosts/", views.listing, name="hosts"),
    path("hosts/new/", views.new, name="host-new"),
    path("hosts/<int:pk>/", views.detail, name="host"),
    path("hosts/<int:pk>/edit/", views.edit, name="host-edit"),
    path("hosts/<int:pk>/delete/", views.delete, name="host-delete"),
    path("hosts/<int:pk>/maintenance/", views.maintenance, name="host-maintenance"),
    path("hosts/<int:pk>/check/", views.check, name="host-check"),
]
