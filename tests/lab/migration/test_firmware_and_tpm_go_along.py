"""A guest with UEFI and a TPM moves live, and what both remember goes along."""

import re
from collections.abc import Callable

import pytest

from deploy.lab import Lab
from deploy.lab_host import LabHost
from deploy.product import Product
from tests.lab.migration.ground import homes, moved
from tests.scene import seen
from tests.waiting import until

pytestmark = pytest.mark.lab
Mover = Callable[..., str]
TPM = "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm></devices>"
NVRAM = "/var/lib/libvirt/qemu/nvram/sealed_VARS.fd"


def _with_uefi_and_tpm(host: LabHost, uuid: str) -> None:
    """It boots nothing: its firmware ends in a shell of its own."""
    text = host.virsh("dumpxml", "--inactive", uuid)
    text = re.sub(r"<(kernel|initrd|cmdline)>.*</\1>", "", text)
    text = text.replace("<os>", "<os firmware='efi'>").replace("</devices>", TPM)
    paper = host.root / "sealed.xml"
    paper.write_text(text)
    host.virsh("define", str(paper))


def _sums(host: LabHost, uuid: str) -> dict[str, str]:
    """What its UEFI and its TPM have written down there."""
    tpm = f"/var/lib/libvirt/swtpm/{uuid}/tpm2/tpm2-00.permall"
    return {path: host.run("sha256sum", path).split()[0] for path in (NVRAM, tpm)}


def _settled(host: LabHost, uuid: str) -> dict[str, str]:
    """The same once the firmware has written something, and no more for a while."""
    told = [_sums(host, uuid)]

    def calm() -> bool:
        told.append(_sums(host, uuid))
        return told[-1][NVRAM] != told[0][NVRAM] and told[-1] == told[-2] == told[-3]

    told.append({})
    until(calm, 60, pause=1)
    return told[-1]


def test_its_settings_and_its_secrets_are_there_after_a_live_move(
    lab3: Lab, moving_product: Product, mover: Mover
) -> None:
    here, there = lab3.hosts[:2]
    uuid = mover("sealed", memory_mib=128, running=False)
    _with_uefi_and_tpm(here, uuid)
    here.virsh("start", uuid)
    seen(moving_product, uuid, "running", 30)
    before = _settled(here, uuid)
    moved(moving_product, uuid, there)
    assert homes(lab3, uuid) == {there.name: "running"}
    assert _sums(there, uuid) == before
    there.virsh("destroy", uuid)
    there.virsh("start", uuid)
    assert homes(lab3, uuid) == {there.name: "running"}
