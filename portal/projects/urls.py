"""Addresses of projects."""

from django.urls import path

from portal.projects import views

urlpatterns = [
    path("projects/", views.listing, name="projects"),
    path("projects/new/", views.new, name="project-new"),
    path("projects/<int:project_id>/", views.detail, name="project"),
    path("projects/<int:project_id>/edit/", views.edit, name="project-edit"),
    path("projects/<int:project_id>/guests/", views.give, name="project-guest-add"),
    path("projects/<int:project_id>/delete/", views.delete, name="project-delete"),
    path(
        "projects/<int:project_id>/members/",
        views.set_member,
        name="project-member-set",
    ),
    path(
        "projects/<int:project_id>/members/<str:username>/remove/",
        views.remove_member,
        name="project-member-remove",
    ),
]
