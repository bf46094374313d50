"""Addresses of sessions."""

from django.urls import path

from kvmweb.accounts.sessions import views

urlpatterns = [
    path("account/sessions/", views.sessions, name="sessions"),
    path("account/sessions/others/end/", views.end_others, name="sessions-end-others"),
    path("account/sessions/<uuid:handle>/end/", views.end, name="session-end"),
    path("users/<int:pk>/sessions/end/", views.end_all, name="user-sessions-end"),
]
