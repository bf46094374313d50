"""Addresses of balancing."""

from django.urls import path

from guests.balance import views

urlpatterns = [
    path("balance/", views.page, name="balance"),
    path("balance/run/", views.run, name="balance-run"),
    path("balance/rules/", views.add_rule, name="rule-add"),
    path("balance/rules/<int:rule_id>/remove/", views.remove_rule, name="rule-remove"),
    path("balance/steer/", views.steer, name="balance-steer"),
]
