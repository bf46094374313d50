"""Addresses of what moves cost."""

from django.urls import path

from guests.proof import views

urlpatterns = [
    path("moves/", views.listing, name="moves"),
    path("moves/report/", views.report, name="moves-report"),
    path("moves/report.csv", views.table, name="moves-report-csv"),
]
