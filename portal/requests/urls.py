"""Addresses of requests."""

from django.urls import path

from portal.requests import rule_views, views

_ONE = "requests/<int:request_id>/"
_RULE = "requests/rules/<int:approval_id>/"

urlpatterns = [
    path("requests/", views.listing, name="requests"),
    path("requests/new/", views.new, name="request-new"),
    path("requests/decide/", views.decide, name="request-decide"),
    path("requests/rules/", rule_views.listing, name="request-rules"),
    path("requests/rules/new/", rule_views.new, name="request-rule-new"),
    path(_RULE, rule_views.edit, name="request-rule-edit"),
    path(f"{_RULE}remove/", rule_views.remove, name="request-rule-remove"),
    path(_ONE, views.detail, name="request"),
    path(f"{_ONE}edit/", views.edit, name="request-edit"),
    path(f"{_ONE}approve/", views.approve, name="request-approve"),
    path(f"{_ONE}reject/", views.reject, name="request-reject"),
    path(f"{_ONE}cancel/", views.cancel, name="request-cancel"),
    path(f"{_ONE}retry/", views.retry, name="request-retry"),
]
