"""Addresses of folders and of saved views."""

from django.urls import path

from guests.folders import saved_views, views

_VIEW = "guests/views/<int:view_id>/"

urlpatterns = [
    path("guests/folders/", views.listing, name="folders"),
    path("guests/folders/limit/", views.limit, name="folder-limit"),
    path("guests/folders/rename/", views.rename, name="folder-rename"),
    path("guests/folders/<int:limit_id>/", views.change, name="folder-limit-change"),
    path("guests/folders/<int:limit_id>/remove/", views.unlimit, name="folder-unlimit"),
    path("guests/look/", saved_views.look, name="list-look"),
    path("guests/views/", saved_views.keep, name="view-keep"),
    path(f"{_VIEW}delete/", saved_views.delete, name="view-delete"),
    path(f"{_VIEW}<slug:verb>/", saved_views.change, name="view-change"),
]
