"""Addresses of the canary."""

from django.urls import path

from guests.canary import views

urlpatterns = [
    path("moves/canary/", views.canary, name="canary"),
    path("moves/canary/run/", views.run, name="canary-run"),
    path("moves/canary/schedule/", views.schedule, name="canary-schedule"),
]
