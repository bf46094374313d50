"""osinfo-db: known systems, their defaults, and what is answered without it."""

from pathlib import Path

import pytest

from guests.creation import osinfo
from guests.creation.osinfo import GIB
from kvmweb.errors import Invalid

WIN11 = "http://microsoft.com/win/11"


def test_a_linux_of_today_gets_virtio_and_no_more_than_it_needs() -> None:
    found = osinfo.defaults("http://debian.org/debian/11")
    assert (found.bus, found.nic_model, found.firmware) == ("virtio", "virtio", "bios")
    assert found.least_memory_bytes == GIB
    assert found.disk_bytes == 20 * GIB
    assert not found.windows


def test_windows_11_gets_secure_boot_a_tpm_and_what_it_has_drivers_for() -> None:
    found = osinfo.defaults(WIN11)
    assert (found.firmware, found.tpm) == ("uefi-secure", True)
    assert (found.bus, found.nic_model) == ("sata", "e1000e")
    assert found.virtio_drivers
    assert found.windows
    assert found.least_disk_bytes == 64 * GIB


def test_windows_10_starts_from_a_bios_and_needs_no_tpm() -> None:
    found = osinfo.defaults("http://microsoft.com/win/10")
    assert (found.firmware, found.tpm, found.bus) == ("bios", False, "sata")


def test_a_system_too_old_for_virtio_gets_older_hardware() -> None:
    found = osinfo.defaults("http://debian.org/debian/3")
    assert (found.bus, found.nic_model) == ("sata", "e1000e")


def test_a_version_nobody_knows_yet_gets_what_its_relatives_get() -> None:
    assert osinfo.defaults("http://microsoft.com/win/12").tpm
    assert osinfo.defaults("http://debian.org/debian/99").bus == "virtio"
    assert osinfo.defaults("http://example.org/os/1") == osinfo.Defaults()


def test_short_ids_are_understood_and_nonsense_is_not() -> None:
    assert osinfo.full_id("win11") == WIN11
    assert osinfo.full_id("debian12") == "http://debian.org/debian/12"
    assert osinfo.full_id("http://example.org/os/1") == "http://example.org/os/1"
    assert osinfo.full_id("") == ""
    for odd in ("windows eleven", "http://a b", "http://x/\n", "http://" + "x" * 300):
        with pytest.raises(Invalid) as refused:
            osinfo.full_id(odd)
        assert "os" in refused.value.errors


def test_lists_offer_those_of_today_once_each_the_newest_first() -> None:
    groups = osinfo.offered()
    names = [each.name for each in groups["Linux"]]
    assert len(names) == len(set(names))
    assert names.index("Debian 12") < names.index("Debian 11")
    assert "Microsoft Windows 11" in [each.name for each in groups["Windows"]]
    every = [each.name for found in groups.values() for each in found]
    assert "Microsoft Windows XP" not in every
    assert osinfo.name_of(WIN11) == "Microsoft Windows 11"


def test_without_the_data_base_there_are_sensible_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(osinfo, "PLACE", tmp_path)
    assert osinfo.defaults("http://debian.org/debian/11") == osinfo.Defaults()
    assert osinfo.defaults(WIN11).windows
    assert osinfo.full_id("debian12") == "http://debian.org/debian/12"
    assert osinfo.offered()["Linux"]


def test_a_broken_file_spoils_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor = tmp_path / "example.org"
    vendor.mkdir()
    (vendor / "a.xml").write_text("<libosinfo><os id='http://example.org/os/1'>")
    (vendor / "b.xml").write_text(
        "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/hostname'>]>"
        "<libosinfo><os id='http://example.org/os/2'><name>&e;</name></os></libosinfo>"
    )
    (vendor / "c.xml").write_text(
        "<libosinfo><os id='http://example.org/os/3'><short-id>three</short-id>"
        "<name>Three</name></os></libosinfo>"
    )
    monkeypatch.setattr(osinfo, "PLACE", tmp_path)
    assert [it.name for it in osinfo.systems() if "example" in it.id] == ["Three"]
