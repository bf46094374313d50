"""Addresses of moves."""

from django.urls import path

from guests.migration import views

_OF = "guests/<uuid:pk>/move/"

urlpatterns = [
    path("guests/moves/", views.matrix, name="guest-moves"),
    path(_OF, views.move, name="guest-move"),
    path(f"{_OF}check/", views.check, name="guest-move-check"),
    path(f"{_OF}mend/", views.mend, name="guest-move-mend"),
]
