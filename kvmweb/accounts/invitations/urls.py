"""Addresses of letters."""

from django.urls import path

from kvmweb.accounts.invitations import views

_INVITE = "users/invite/"

urlpatterns = [
    path(_INVITE, views.invite, name="user-invite"),
    path(f"{_INVITE}<uuid:letter_id>/withdraw/", views.withdraw, name="user-withdraw"),
    path("login/invitation/<str:link>/", views.accept, name="invitation"),
    path("login/forgotten/", views.forgotten, name="forgotten"),
    path("login/new-password/<str:link>/", views.new_password, name="new-password"),
]
