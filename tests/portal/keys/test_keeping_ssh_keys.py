"""SSH keys in the profile: kept, checked, forgotten, everybody their own."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from portal.keys.models import SshKey

pytestmark = pytest.mark.usefixtures("redis_server")
URL = "/api/v1/me/keys/"
ED = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJ4rA7ZB1tY8o2Wc1nJq5m0hV3x9yKq7pL2dF6sT8uE"


def _post(client: Client, **body: Any) -> Any:
    return client.post(URL, body, content_type="application/json")


def test_a_key_is_kept_by_its_comment_and_forgotten(as_user: Client) -> None:
    answer = _post(as_user, text=f"  {ED} uwe@laptop\n")
    assert answer.status_code == 201, answer.content
    told = answer.json()
    assert (told["name"], told["text"]) == ("uwe@laptop", f"{ED} uwe@laptop")
    assert told["fingerprint"].startswith("SHA256:")
    assert as_user.get(URL).json()["count"] == 1
    assert as_user.delete(f"{URL}{told['id']}/").status_code == 204
    assert as_user.get(URL).json()["count"] == 0


@pytest.mark.parametrize(
    "text",
    [
        "no key",
        "ssh-ed25519",
        "ssh-ed25519 !!!",
        ED.replace("ed25519 ", "rsa "),
        f"{ED}\n{ED}",
        'command="x" ' + ED,
    ],
)
def test_what_is_no_key_is_refused(as_user: Client, text: str) -> None:
    answer = _post(as_user, text=text)
    assert answer.status_code == 422, answer.content
    assert "text" in answer.json()["errors"]
    assert not SshKey.objects.exists()


def test_a_key_and_a_name_are_kept_once(as_user: Client, as_admin: Client) -> None:
    assert _post(as_user, text=ED, name="laptop").status_code == 201
    assert _post(as_user, text=f"{ED} again", name="desk").status_code == 409
    assert _post(as_admin, text=ED, name="laptop").status_code == 201


def test_everybody_has_their_own(as_user: Client, as_admin: Client) -> None:
    pk = _post(as_user, text=ED).json()["id"]
    for number in (pk, pk + 100):
        answer = as_admin.delete(f"{URL}{number}/")
        assert answer.status_code == 404
        assert answer.json()["detail"] == "There is no such key."
    assert as_admin.get(URL).json()["count"] == 0
    path = reverse("ssh-key-forget", args=[pk])
    assert as_admin.post(path).status_code == 404


def test_the_page_keeps_and_forgets(as_user: Client) -> None:
    page = reverse("ssh-keys")
    assert "no public SSH key" in as_user.post(page, {"text": "x"}).content.decode()
    as_user.post(page, {"text": ED, "name": "laptop"})
    assert "laptop" in as_user.get(page).content.decode()
    as_user.post(reverse("ssh-key-forget", args=[SshKey.objects.get().pk]))
    assert not SshKey.objects.exists()
