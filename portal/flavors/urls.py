"""Addresses of flavors."""

from django.urls import path

from portal.flavors import views

urlpatterns = [
    path("flavors/", views.listing, name="flavors"),
    path("flavors/new/", views.new, name="flavor-new"),
    path("flavors/<int:flavor_id>/edit/", views.edit, name="flavor-edit"),
    path("flavors/<int:flavor_id>/retire/", views.retire, name="flavor-retire"),
    path("flavors/<int:flavor_id>/move/", views.move, name="flavor-move"),
    path("flavors/<int:flavor_id>/delete/", views.delete, name="flavor-delete"),
]
