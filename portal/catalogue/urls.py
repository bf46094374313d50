"""The address of the catalogue."""

from django.urls import path

from portal.catalogue import views

urlpatterns = [path("catalogue/", views.catalogue, name="catalogue")]
