"""Which means fits which guest, and what to say where none does. Pure."""

from dataclasses import replace

import pytest

from guests.snapshots.means import Layer, Subject, choose
from kvmweb.errors import Conflict

VDA = Layer("vda", "disk", "file", "qcow2", writable=True)
GUEST = Subject("web", "running", True, "kvm", "bios", (VDA,), ())  # noqa: FBT003 - it is kept by its host
OFF = replace(GUEST, state="shutoff")
RAW = replace(VDA, target="vdb", format="raw")
CD = Layer("sda", "cdrom", "file", "raw", writable=False)


@pytest.mark.parametrize(
    ("subject", "memory", "external"),
    [
        (OFF, False, False),
        (GUEST, True, False),
        (GUEST, False, True),  # disks alone of what runs
        (replace(OFF, firmware="uefi"), False, True),
        (replace(GUEST, firmware="uefi-secure"), True, True),
        (replace(OFF, disks=(VDA, RAW)), False, True),
        (replace(GUEST, disks=(VDA, RAW)), True, True),
        (replace(OFF, kinds=("external",)), False, True),
        (replace(OFF, kinds=("internal",)), False, False),
        (replace(GUEST, kinds=("internal",)), True, False),
        (replace(GUEST, virt_type="test"), False, False),
        (replace(GUEST, disks=()), True, True),
    ],
)
def test_it_is_inside_the_disks_where_libvirt_can(
    subject: Subject, memory: bool, external: bool
) -> None:
    assert choose(subject, memory=memory).external == external


def test_disks_that_nobody_writes_to_are_left_out() -> None:
    shared = replace(RAW, target="vdc", writable=False)
    means = choose(replace(GUEST, disks=(VDA, CD, shared)), memory=False)
    assert (means.targets, means.left_out) == (("vda",), ("sda", "vdc"))


@pytest.mark.parametrize(
    ("subject", "memory", "said"),
    [
        (OFF, True, "no memory to keep"),
        (replace(GUEST, persistent=False), False, "transient"),
        (replace(GUEST, state="shutting-down"), False, "wait until"),
        (replace(OFF, disks=(CD,)), False, "no disk"),
        (replace(OFF, disks=(replace(VDA, kind="nvme"),)), False, "vda"),
        (replace(GUEST, kinds=("internal",)), False, "with memory or while"),
        (
            replace(OFF, kinds=("internal",), firmware="uefi"),
            False,
            "Delete the others",
        ),
    ],
)
def test_what_cannot_be_is_said_with_what_would_make_it_possible(
    subject: Subject, memory: bool, said: str
) -> None:
    with pytest.raises(Conflict) as refused:
        choose(subject, memory=memory)
    assert said in str(refused.value)
