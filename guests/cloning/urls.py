"""Addresses of clones and templates."""

from django.urls import path

from guests.cloning import views

_OF = "guests/<uuid:pk>/"

urlpatterns = [
    path(f"{_OF}clone/", views.clone, name="guest-clone"),
    path(f"{_OF}to-template/", views.to_template, name="guest-to-template"),
    path(f"{_OF}to-guest/", views.to_guest, name="guest-to-guest"),
]
