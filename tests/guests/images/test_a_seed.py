"""A new guest is told who it is: an ISO that cloud-init reads, and nothing unchecked."""

from dataclasses import replace
from io import BytesIO
from typing import Any
from uuid import UUID

import pycdlib
import pytest
import yaml
from passlib.hash import sha512_crypt

from guests.images.seed import Card, CloudInit, seed
from kvmweb.errors import Invalid

UUID_OF_GUEST = UUID("3f1c6e0e-2f5e-4a57-9c0e-6a4de2a6a001")
KEY = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHk0P8v0Wb2N4yJ8q0eZ1x7n3d5m9k2j6h4g8f1s3a5d"
    " ann@desk"
)
CLOUD = CloudInit("web-1.example.org", "ann", "s3cret word", (KEY,))


def read(iso: bytes) -> dict[str, str]:
    """The files of an ISO by the names that Linux and Windows see."""
    disc = pycdlib.PyCdlib()
    disc.open_fp(BytesIO(iso))
    assert disc.pvd.volume_identifier.strip() == b"cidata"
    files = {}
    for kind in ("rr_path", "joliet_path"):
        names = [
            (each.rock_ridge.name() if kind == "rr_path" else each.file_identifier())
            for each in disc.list_children(**{kind: "/"})
            if each.is_file()
        ]
        found = {}
        for raw in names:
            name = raw.decode() if kind == "rr_path" else raw.decode("utf-16-be")
            out = BytesIO()
            disc.get_file_from_iso_fp(out, **{kind: f"/{name}"})
            found[name] = out.getvalue().decode()
        assert not files or files == found
        files = found
    disc.close()
    return files


def config(cloud: CloudInit) -> Any:
    """What cloud-init would do."""
    text = read(seed(cloud, guest=UUID_OF_GUEST))["user-data"]
    assert text.startswith("#cloud-config\n")
    return yaml.safe_load(text)


def test_it_names_the_host_and_its_user() -> None:
    files = read(seed(CLOUD, guest=UUID_OF_GUEST))
    assert sorted(files) == ["meta-data", "user-data"]
    meta = yaml.safe_load(files["meta-data"])
    assert meta["local-hostname"] == "web-1.example.org"
    assert meta["instance-id"].startswith(f"{UUID_OF_GUEST}-")
    told = yaml.safe_load(files["user-data"])
    assert told["hostname"] == "web-1.example.org"
    assert told["ssh_pwauth"] is True
    (person,) = told["users"]
    assert person["name"] == "ann"
    assert person["ssh_authorized_keys"] == [KEY]
    assert person["lock_passwd"] is False
    assert sha512_crypt.verify("s3cret word", person["hashed_passwd"])
    assert person["hashed_passwd"].startswith("$6$")
    assert "s3cret word" not in files["user-data"]


def test_keys_without_a_user_are_the_default_users() -> None:
    told = config(CloudInit("web", ssh_keys=(KEY,)))
    assert told["ssh_authorized_keys"] == [KEY]
    assert "users" not in told
    assert told["ssh_pwauth"] is False


def test_another_guest_and_other_settings_are_another_instance() -> None:
    def instance(cloud: CloudInit, guest: UUID) -> str:
        meta = yaml.safe_load(read(seed(cloud, guest=guest))["meta-data"])
        return str(meta["instance-id"])

    plain = CloudInit("web", ssh_keys=(KEY,))
    other = UUID("3f1c6e0e-2f5e-4a57-9c0e-6a4de2a6a002")
    said = {
        instance(plain, UUID_OF_GUEST),
        instance(plain, other),
        instance(replace(plain, hostname="db"), UUID_OF_GUEST),
        instance(replace(plain, network=(Card("52:54:00:00:00:01"),)), UUID_OF_GUEST),
    }
    assert len(said) == 4
    assert instance(plain, UUID_OF_GUEST) in said


def test_their_own_words_win_and_their_users_stay() -> None:
    own = """#cloud-config
manage_etc_hosts: false
users:
- name: bob
packages: [htop]
write_files:
- {path: /etc/x, permissions: '0644', content: "a: b"}
"""
    told = config(replace(CLOUD, user_data=own))
    assert told["manage_etc_hosts"] is False
    assert told["packages"] == ["htop"]
    assert [each["name"] for each in told["users"]] == ["bob", "ann"]
    assert told["write_files"][0]["permissions"] == "0644"
    assert told["hostname"] == "web-1.example.org"


def test_cards_are_found_by_their_mac() -> None:
    cards = (
        Card("52:54:00:00:00:01"),
        Card(
            "52:54:00:00:00:02", ("10.1.0.5/24", "fd00::5/64"), "10.1.0.1", ("1.1.1.1",)
        ),
    )
    files = read(seed(replace(CLOUD, network=cards), guest=UUID_OF_GUEST))
    told = yaml.safe_load(files["network-config"])
    assert told["version"] == 2
    assert told["ethernets"]["eth0"] == {
        "match": {"macaddress": "52:54:00:00:00:01"},
        "set-name": "eth0",
        "dhcp4": True,
    }
    assert told["ethernets"]["eth1"] == {
        "match": {"macaddress": "52:54:00:00:00:02"},
        "set-name": "eth1",
        "dhcp4": False,
        "addresses": ["10.1.0.5/24", "fd00::5/64"],
        "gateway4": "10.1.0.1",
        "nameservers": {"addresses": ["1.1.1.1"]},
    }


BOMB = "#cloud-config\na: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]\n"


@pytest.mark.parametrize(
    ("change", "field", "word"),
    [
        ({"hostname": ""}, "hostname", "63"),
        ({"hostname": "Web"}, "hostname", "small letters"),
        ({"hostname": "a..b"}, "hostname", "dot"),
        ({"hostname": "a\nb"}, "hostname", "small"),
        ({"hostname": "x" * 64}, "hostname", "63"),
        ({"user": "root"}, "user", "root"),
        ({"user": "ann: x"}, "user", "small letters"),
        ({"password": "", "ssh_keys": ()}, "user", "sign in"),
        ({"password": "x" * 257}, "password", "256"),
        ({"password": "a\nb"}, "password", "one line"),
        ({"ssh_keys": ("hello",)}, "ssh_keys", "Key 1"),
        ({"ssh_keys": (KEY, "ssh-rsa " + KEY.split()[1])}, "ssh_keys", "Key 2"),
        ({"ssh_keys": (f"{KEY}\nssh-rsa x",)}, "ssh_keys", "Key 1"),
        ({"ssh_keys": (f'command="rm" {KEY}',)}, "ssh_keys", "Key 1"),
        ({"ssh_keys": (KEY,) * 51}, "ssh_keys", "50"),
        ({"user_data": "packages: []"}, "user_data", "#cloud-config"),
        ({"user_data": "#cloud-config\na: [b"}, "user_data", "line"),
        ({"user_data": "#cloud-config\n- a"}, "user_data", "settings"),
        ({"user_data": "#cloud-config\n1: a"}, "user_data", "settings"),
        ({"user_data": BOMB}, "user_data", "alias in line 3"),
        ({"user_data": "#cloud-config\na: " + "[" * 40}, "user_data", "deeply"),
        ({"user_data": "#cloud-config\na: " + "x" * 70000}, "user_data", "64 KiB"),
        ({"user_data": "#cloud-config\na: 2024-99-99"}, "user_data", "cannot be read"),
        (
            {"user_data": "#cloud-config\na: !!python/name:os.system"},
            "user_data",
            "YAML",
        ),
        ({"user_data": "#cloud-config\na: \0"}, "user_data", "YAML"),
        ({"network": (Card("52-54"),)}, "network", "MAC"),
        ({"network": (Card("52:54:00:00:00:01", ("10.0.0.5",)),)}, "network", "width"),
        (
            {"network": (Card("52:54:00:00:00:01", (), "10.0.0.1"),)},
            "network",
            "gateway",
        ),
        (
            {"network": (Card("52:54:00:00:00:01", ("10.0.0.5/24",), "x"),)},
            "network",
            "no IP",
        ),
    ],
)
def test_what_cannot_be_taken_is_said_at_its_field(
    change: dict[str, Any], field: str, word: str
) -> None:
    with pytest.raises(Invalid) as refused:
        seed(replace(CLOUD, **change), guest=UUID_OF_GUEST)
    assert list(refused.value.errors) == [field]
    assert word in refused.value.errors[field][0]


def test_it_goes_through_json_and_keeps_its_password_to_itself() -> None:
    cards = (Card("52:54:00:00:00:01", ("10.0.0.5/24",), "10.0.0.1", ("9.9.9.9",)),)
    cloud = replace(CLOUD, network=cards, user_data="#cloud-config\n")
    import json

    assert CloudInit.from_json(json.loads(json.dumps(cloud.to_json()))) == cloud
    assert "s3cret" not in repr(cloud)
