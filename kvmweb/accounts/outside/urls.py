"""Addresses of accounts outside."""

from django.urls import path

from kvmweb.accounts.outside import views

_OWN = "account/outside/"

urlpatterns = [
    path("login/oidc/", views.leave, name="login-oidc"),
    path("login/oidc/back/", views.back, name="login-oidc-back"),
    path(_OWN, views.outside, name="outside"),
    path(f"{_OWN}link/", views.leave_to_link, name="outside-link"),
    path(f"{_OWN}<int:identity_id>/unlink/", views.unlink, name="outside-unlink"),
]
