"""Addresses of the pages of hardware."""

from django.urls import path

from guests.hardware import version_views, views

_GUEST = "guests/<uuid:pk>"

urlpatterns = [
    path(f"{_GUEST}/hardware/", views.numbers, name="guest-hardware"),
    path(f"{_GUEST}/disks/new/", views.add_disk, name="guest-disk-add"),
    path(f"{_GUEST}/disks/<str:target>/", views.change_disk, name="guest-disk"),
    path(
        f"{_GUEST}/disks/<str:target>/remove/",
        views.remove_disk,
        name="guest-disk-remove",
    ),
    path(f"{_GUEST}/cdrom/", views.media, name="guest-cdrom"),
    path(f"{_GUEST}/nics/new/", views.add_nic, name="guest-nic-add"),
    path(f"{_GUEST}/nics/<str:mac>/", views.change_nic, name="guest-nic"),
    path(f"{_GUEST}/nics/<str:mac>/remove/", views.remove_nic, name="guest-nic-remove"),
    path(f"{_GUEST}/host-devices/", views.devices, name="guest-host-devices"),
    path(f"{_GUEST}/pending/revoke/", views.revoke, name="guest-revoke"),
    path(f"{_GUEST}/xml/", version_views.editor, name="guest-xml"),
    path(
        f"{_GUEST}/revisions/<int:number>/", version_views.version, name="guest-version"
    ),
    path(
        f"{_GUEST}/revisions/<int:number>/restore/",
        version_views.restore,
        name="guest-restore",
    ),
]
