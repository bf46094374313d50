"""Addresses of snapshots."""

from django.urls import path

from guests.snapshots import views

_OF = "guests/<uuid:pk>/snapshots/"

urlpatterns = [
    path(f"{_OF}new/", views.create, name="guest-snapshot-new"),
    path(f"{_OF}<str:name>/revert/", views.revert, name="guest-snapshot-revert"),
    path(f"{_OF}<str:name>/delete/", views.delete, name="guest-snapshot-delete"),
]
