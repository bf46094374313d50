"""Addresses of the inside of guests."""

from django.urls import path

from guests.inside import views

_ONE = "guests/<uuid:pk>/"

urlpatterns = [
    path(f"{_ONE}inside/", views.look, name="guest-inside"),
    path(f"{_ONE}set-password/", views.password, name="guest-set-password"),
    path(f"{_ONE}ssh-keys/", views.ssh_keys, name="guest-ssh-keys"),
    path(f"{_ONE}sync-time/", views.sync_time, name="guest-sync-time"),
    path(f"{_ONE}agent-channel/", views.add_channel, name="guest-agent-channel"),
]
