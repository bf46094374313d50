"""Addresses of convoys."""

from django.urls import path

from guests.draining import views

_HOST, _ONE = "hosts/<int:pk>/", "operations/<uuid:pk>/guests/"

urlpatterns = [
    path(f"{_HOST}drain/", views.drain, name="host-drain"),
    path(f"{_HOST}bring-home/", views.bring_home, name="host-bring-home"),
    path(f"{_HOST}forget-away/", views.forget, name="host-forget-away"),
    path(_ONE, views.convoy, name="convoy"),
    path(f"{_ONE}pause/", views.pause, name="convoy-pause"),
    path(f"{_ONE}stop/", views.stop, name="convoy-stop"),
]
