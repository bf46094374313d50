"""Addresses of kvmweb/accounts."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
