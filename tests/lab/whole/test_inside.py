"""People look inside a guest by the whole product; the agent's own words are a mock's."""

import base64
import time
from uuid import UUID

import pytest

from deploy.product import Product
from tests.lab.mock_agent import NS, TRUE, MockAgent
from tests.scene import ended, guest
from tests.waiting import until

pytestmark = pytest.mark.lab
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g me"
PASSWORD = "Top-Secret-7"


def test_people_look_inside_and_set_what_is_there(
    product: Product, mocked: UUID, mock: MockAgent
) -> None:
    mock.answers, mock.faults = dict(TRUE), {}
    mock.asked.clear()
    until(lambda: guest(product, mocked).get("agent"), 15)
    for path, body in (
        ("inside", None),
        ("set-password", {"user": "root", "password": PASSWORD}),
        ("ssh-keys", {"user": "ann", "ssh_keys": [KEY]}),
        ("sync-time", None),
    ):
        said = product.call("POST", f"guests/{mocked}/{path}/", body)
        assert said.status == 202, said.body
        operation = ended(product, said.body["id"])
        assert operation["state"] == "succeeded", operation
        assert PASSWORD not in str(operation)
    report = product.call("GET", f"guests/{mocked}/inside/").body
    assert report["file_systems"][0]["mountpoint"] == "/"
    assert report["system"]["name"] == "Debian 12"
    (given,) = mock.commands("guest-set-user-password")
    assert base64.b64decode(given["password"]).decode() == PASSWORD
    (keys,) = mock.commands("guest-ssh-add-authorized-keys")
    assert (keys["username"], keys["keys"]) == ("ann", [KEY])
    (clock,) = mock.commands("guest-set-time")
    assert abs(clock["time"] - time.time_ns()) < 60 * NS
    for path in product.directory.rglob("*"):
        if path.is_file():
            assert PASSWORD.encode() not in path.read_bytes(), path
