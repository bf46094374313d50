"""Addresses of the second factor."""

from django.urls import path

from kvmweb.accounts.second import passkey_views, views

_OWN = "account/second/"
_STEP = "login/second/passkey/"

urlpatterns = [
    path("login/second/", views.step, name="login-second"),
    path("login/second/app/", views.demanded_app, name="login-second-app"),
    path(_STEP, passkey_views.step, name="login-passkey"),
    path(f"{_STEP}options/", passkey_views.step_options, name="login-passkey-options"),
    path(f"{_STEP}new/", passkey_views.demanded_new, name="login-passkey-new"),
    path(
        f"{_STEP}new/options/",
        passkey_views.demanded_options,
        name="login-passkey-new-options",
    ),
    path("account/confirm/", views.confirm, name="confirm"),
    path(_OWN, views.second, name="second"),
    path(f"{_OWN}app/", views.app, name="second-app"),
    path(f"{_OWN}app/remove/", views.remove_app, name="second-app-remove"),
    path(f"{_OWN}recovery/", views.recovery, name="second-recovery"),
    path(f"{_OWN}passkeys/new/", passkey_views.new, name="passkey-new"),
    path(f"{_OWN}passkeys/options/", passkey_views.options, name="passkey-options"),
    path(
        f"{_OWN}passkeys/<int:passkey_id>/remove/",
        views.remove_passkey,
        name="passkey-remove",
    ),
    path("users/<int:pk>/second/reset/", views.reset, name="user-second-reset"),
]
