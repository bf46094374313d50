"""/metrics: totals for everybody, names only for who may see hosts."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from django.test import Client

from guests.models import Guest
from hosts.models import Host
from kvmweb import samples
from kvmweb.virt.types import GuestSample

NAME = 'a "quoted"\nname'


@pytest.fixture
def guest(db: None, monkeypatch: pytest.MonkeyPatch) -> Guest:
    host = Host.objects.create(name="h1", transport="test", state="up", cpus=4)
    guest = Guest.objects.create(uuid=uuid4(), name=NAME, state="running", host=host)
    sample = GuestSample(12.5, 1024, None, 0.0, None, None, None)
    monkeypatch.setattr(samples, "latest", lambda _: {guest.pk: sample})
    monkeypatch.setattr(samples, "latest_of_hosts", lambda _: {})
    return guest


def test_strangers_get_totals_without_names(guest: Guest, client: Client) -> None:
    text = client.get("/metrics").content.decode()
    assert 'kvmweb_guests{state="running"} 1.0' in text
    assert 'kvmweb_hosts{state="up"} 1.0' in text
    assert "quoted" not in text
    assert "h1" not in text
    assert str(guest.pk) not in text


def test_who_may_see_hosts_gets_each_by_name(
    guest: Guest, admin_read_token: str, by_token: Callable[[str], Client]
) -> None:
    text = by_token(admin_read_token).get("/metrics").content.decode()
    who = f'host="h1",name="a \\"quoted\\"\\nname",uuid="{guest.pk}"'
    assert f"kvmweb_guest_cpu_percent{{{who}}} 12.5" in text
    assert f"kvmweb_guest_memory_bytes{{{who}}} 1024.0" in text
    assert "kvmweb_guest_memory_host_bytes{" not in text
    assert 'kvmweb_host_cpus{host="h1"} 4.0' in text
