"""Addresses of pools and volumes."""

from django.urls import path

from hosts.storage import views

_POOL, _VOLUME = "pools/<int:pool_id>/", "volumes/<int:volume_id>/"

urlpatterns = [
    path("hosts/<int:pk>/pools/new/", views.new_pool, name="pool-new"),
    path(_POOL, views.pool, name="pool"),
    path(f"{_POOL}delete/", views.delete_pool, name="pool-delete"),
    path(f"{_POOL}start/", views.start_pool, name="pool-start"),
    path(f"{_POOL}stop/", views.stop_pool, name="pool-stop"),
    path(f"{_POOL}refresh/", views.refresh_pool, name="pool-refresh"),
    path(f"{_POOL}autostart/", views.autostart_pool, name="pool-autostart"),
    path(f"{_POOL}volumes/new/", views.new_volume, name="volume-new"),
    path(f"{_POOL}upload/", views.upload, name="pool-upload"),
    path(_VOLUME, views.volume, name="volume"),
    path(f"{_VOLUME}grow/", views.grow_volume, name="volume-grow"),
    path(f"{_VOLUME}clone/", views.clone_volume, name="volume-clone"),
    path(f"{_VOLUME}fetch/", views.fetch_volume, name="volume-fetch"),
    path(f"{_VOLUME}delete/", views.delete_volume, name="volume-delete"),
    path(f"{_VOLUME}restore/", views.restore_volume, name="volume-restore"),
]
