"""A socket lives no longer than its session, and opens for none that showed too little."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from websockets.exceptions import ConnectionClosed

from kvmweb.accounts.sessions.models import Visit
from tests.kvmweb.live.conftest import Ears


def _closed_with(ears: Ears) -> int:
    with pytest.raises(ConnectionClosed) as closed:
        ears.next("a kind that never comes", seconds=8)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code


def test_it_closes_at_once_when_its_session_is_ended_elsewhere(
    listen: Callable[..., Ears], as_admin: Client, admin: Any
) -> None:
    phone = Client()
    phone.force_login(admin)
    ears = listen(phone)
    ears.subscribe("guests")
    handle = Visit.objects.get(session_key=phone.session.session_key).handle
    assert as_admin.post(f"/account/sessions/{handle}/end/").status_code == 302
    assert _closed_with(ears) == 4403


def test_it_opens_for_no_session_without_the_factor_that_is_demanded(
    listen: Callable[..., Ears], as_admin: Client, settings: Any
) -> None:
    settings.SECOND_FACTOR = "admins"
    assert _closed_with(listen(as_admin)) == 4401
