"""Addresses of people's pages."""

from django.urls import URLPattern, URLResolver, include, path

from kvmweb.accounts import views

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("kvmweb.accounts.sessions.urls")),
    path("", include("kvmweb.accounts.second.urls")),
    path("", include("kvmweb.accounts.invitations.urls")),
    path("", include("kvmweb.accounts.outside.urls")),
    path("login/", views.login, name="login"),
    path("logout/", views.logout, name="logout"),
    path("account/", views.account, name="account"),
    path("account/password/", views.change_password, name="account-password"),
    path("account/tokens/new/", views.new_token, name="token-new"),
    path("account/tokens/<int:pk>/revoke/", views.revoke_token, name="token-revoke"),
    path("users/", views.users, name="users"),
    path("users/new/", views.new_user, name="user-new"),
    path("users/<int:pk>/edit/", views.edit_user, name="user-edit"),
    path("users/<int:pk>/delete/", views.delete_user, name="user-delete"),
    path("audit/", views.audit, name="audit"),
]
