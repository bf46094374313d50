"""Addresses of pools and volumes."""

from django.urls import path

from hosts.storage import views

urlpatterns = [
    path("pools/<int:pool_id>/", views.pool, name="pool"),
]
