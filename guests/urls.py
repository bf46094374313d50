"""Addresses of guests."""

from django.urls import path

from guests import console_views, overview, views
from guests.balance.urls import urlpatterns as balance
from guests.canary.urls import urlpatterns as canary
from guests.cloning.urls import urlpatterns as cloning
from guests.creation import views as creation_views
from guests.draining.urls import urlpatterns as draining
from guests.folders.urls import urlpatterns as folders
from guests.hardware.urls import urlpatterns as hardware
from guests.inside.urls import urlpatterns as inside
from guests.migration.urls import urlpatterns as migration
from guests.proof.urls import urlpatterns as proof
from guests.snapshots.urls import urlpatterns as snapshots

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("guests/", views.listing, name="guests"),
    path("guests/new/", creation_views.new, name="guest-new"),
    *folders,
    path("guests/demo/", views.start_demo, name="guest-demo"),
    path("guests/<uuid:pk>/", views.detail, name="guest"),
    path("guests/<uuid:pk>/autostart/", views.autostart, name="guest-autostart"),
    path("guests/<uuid:pk>/edit/", views.edit, name="guest-edit"),
    path("guests/<uuid:pk>/delete/", views.delete, name="guest-delete"),
    path("guests/<uuid:pk>/console/", console_views.console, name="guest-console"),
    *snapshots,
    *cloning,
    *inside,
    *hardware,
    *migration,
    *proof,
    *canary,
    *draining,
    *balance,
    path("guests/<uuid:pk>/<slug:action>/", views.act, name="guest-action"),
]
