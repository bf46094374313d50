"""Addresses of machines."""

from django.urls import path

from portal.machines import views

_ONE = "machines/<uuid:pk>/"

urlpatterns = [
    path("machines/", views.listing, name="machines"),
    path(_ONE, views.detail, name="machine"),
    path(f"{_ONE}extend/", views.extend, name="machine-extend"),
    path(f"{_ONE}lend/", views.lend, name="machine-lend"),
    path(f"{_ONE}resize/", views.resize, name="machine-resize"),
    path(f"{_ONE}hand-over/", views.hand_over, name="machine-hand-over"),
    path(f"{_ONE}delete/", views.delete, name="machine-delete"),
]
