"""Pages of operations."""

from django.urls import path

from kvmweb.operations import views

urlpatterns = [
    path("operations/", views.listing, name="operations"),
    path("operations/drawer/", views.drawer, name="operations-drawer"),
    path("operations/<uuid:pk>/", views.detail, name="operation"),
    path("operations/<uuid:pk>/cancel/", views.cancel, name="operation-cancel"),
]
