"""Addresses of networks."""

from django.urls import path

from hosts.networks import views

_ONE = "networks/<int:network_id>/"

urlpatterns = [
    path("hosts/<int:pk>/networks/new/", views.new, name="network-new"),
    path(_ONE, views.detail, name="network"),
    path(f"{_ONE}edit/", views.edit, name="network-edit"),
    path(f"{_ONE}delete/", views.delete, name="network-delete"),
    path(f"{_ONE}start/", views.start, name="network-start"),
    path(f"{_ONE}stop/", views.stop, name="network-stop"),
    path(f"{_ONE}leases/", views.fix_lease, name="network-leases"),
    path(f"{_ONE}leases/free/", views.free_lease, name="network-lease-free"),
]
