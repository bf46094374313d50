"""Addresses of use."""

from django.urls import path

from portal.showback import views

_PROJECT = "projects/<int:project_id>/use"

urlpatterns = [
    path(f"{_PROJECT}/", views.of_project, name="project-use"),
    path(f"{_PROJECT}.csv", views.table_of_project, name="project-use-csv"),
    path("use/", views.of_all, name="use"),
    path("use.csv", views.table_of_all, name="use-csv"),
    path("use/prices/", views.set_prices, name="use-prices"),
]
