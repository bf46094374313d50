"""Addresses of one's SSH keys."""

from django.urls import path

from portal.keys import views

urlpatterns = [
    path("account/keys/", views.keys, name="ssh-keys"),
    path("account/keys/<int:key_id>/forget/", views.forget, name="ssh-key-forget"),
]
