"""Addresses of notices, of how one wants to be told, and of webhooks."""

from django.urls import path

from portal.telling import views

_HOOK = "webhooks/<int:webhook_id>/"

urlpatterns = [
    path("notices/", views.listing, name="notices"),
    path("notices/drawer/", views.drawer, name="notices-drawer"),
    path("notices/read/", views.read_all, name="notices-read"),
    path("notices/<int:notice_id>/", views.follow, name="notice"),
    path("account/notices/", views.wishes, name="account-notices"),
    path("webhooks/new/", views.new_webhook, name="webhook-new"),
    path(_HOOK, views.webhook, name="webhook"),
    path(f"{_HOOK}edit/", views.edit_webhook, name="webhook-edit"),
    path(f"{_HOOK}secret/", views.renew_secret, name="webhook-secret"),
    path(f"{_HOOK}test/", views.try_out, name="webhook-test"),
    path(f"{_HOOK}delete/", views.remove_webhook, name="webhook-delete"),
    path(
        f"{_HOOK}deliveries/<uuid:delivery_id>/again/",
        views.send_again,
        name="delivery-again",
    ),
]
