"""Addresses of the second factor."""

from django.urls import path

from kvmweb.accounts.second import views

_OWN = "account/second/"

urlpatterns = [
    path("login/second/", views.step, name="login-second"),
    path("login/second/app/", views.demanded_app, name="login-second-app"),
    path("account/confirm/", views.confirm, name="confirm"),
    path(_OWN, views.second, name="second"),
    path(f"{_OWN}app/", views.app, name="second-app"),
    path(f"{_OWN}app/remove/", views.remove_app, name="second-app-remove"),
    path(f"{_OWN}recovery/", views.recovery, name="second-recovery"),
    path(
        f"{_OWN}passkeys/<int:passkey_id>/remove/",
        views.remove_passkey,
        name="passkey-remove",
    ),
    path("users/<int:pk>/second/reset/", views.reset, name="user-second-reset"),
]
