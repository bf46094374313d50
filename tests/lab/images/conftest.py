"""Hosts of the lab as places of images, and operations that hold on to them."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from deploy.lab import Lab
from deploy.lab_host import LabHost
from hosts.models import Host, Pool, Volume
from kvmweb.operations.models import Operation
from kvmweb.operations.queue import Claim
from kvmweb.operations.run import Run
from tests.lab import seeing

IMAGES = "/var/lib/libvirt/images"


@dataclass
class Place:
    """A host of the lab, its row and its default pool."""

    lab: LabHost
    host: Host

    @property
    def pool(self) -> Pool:
        return Pool.objects.get(host=self.host, name="default")

    def file(self, name: str) -> Path:
        """Where a volume of its pool lies, seen from here."""
        return Path(f"{self.lab.root}{IMAGES}", Path(name).name)

    def volume(self, name: str) -> Volume:
        """The row of a file that was put there behind our back."""
        self.lab.virsh("pool-refresh", "default")
        seeing.look(self.host)
        return Volume.objects.get(pool=self.pool, name=name)

    def make(self, name: str, *words: str, size: str = "8M") -> Volume:
        """A disk as qemu-img makes it."""
        asked = ["qemu-img", "create", "-q", *words, str(self.file(name)), size]
        subprocess.run(asked, check=True, cwd=self.file("x").parent)
        return self.volume(name)


@pytest.fixture
def places(lab: Lab, db: None) -> Iterator[list[Place]]:
    """Both hosts; whatever a test leaves in their pools goes, in the shared one too."""
    found = [
        Place(kvm, seeing.home_of(kvm, f"kvm{number}"))
        for number, kvm in enumerate(lab.hosts, start=1)
    ]
    for place in found:
        seeing.look(place.host)
    folders = [lab.shared, *(place.file("x").parent for place in found)]
    before = {path for folder in folders for path in folder.iterdir()}
    yield found
    for path in {path for folder in folders for path in folder.iterdir()} - before:
        path.unlink()
    for place in found:
        for pool in ("default", "shared"):
            place.lab.virsh("pool-refresh", pool)


def run_of() -> Run:
    """What the work of some operation holds in its hands."""
    operation = Operation.objects.create(
        kind="guest.create",
        guest_name="web",
        state="running",
        worker="here",
        attempts=1,
        lease_until=timezone.now() + timedelta(minutes=5),
    )
    return Run(Claim(operation, "here", 1, taken_over=False))


def over(run: Run, state: str = "succeeded") -> None:
    """Its operation has ended."""
    Operation.objects.filter(pk=run.operation.pk).update(state=state)
