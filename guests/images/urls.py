"""Addresses of images."""

from django.urls import path

from guests.images import views

urlpatterns = [
    path("images/", views.listing, name="images"),
    path("images/new/", views.new, name="image-new"),
    path("images/upload/", views.upload, name="image-upload"),
    path("images/<int:image_id>/", views.detail, name="image"),
    path("images/<int:image_id>/edit/", views.edit, name="image-edit"),
    path("images/<int:image_id>/delete/", views.delete, name="image-delete"),
]
