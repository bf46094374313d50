"""Addresses of leases."""

from django.urls import path

from portal.leases import views

urlpatterns = [
    path("leases/", views.listing, name="leases"),
    path("leases/extend/", views.extend, name="leases-extend"),
    path("leases/go-on/", views.go_on, name="leases-go-on"),
    path("leases/rules/", views.rules, name="lease-rules"),
    path("leases/rules/<int:project_id>/", views.rule, name="lease-rule"),
    path("leases/<int:lease_id>/", views.edit, name="lease"),
]
