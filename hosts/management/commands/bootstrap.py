"""`manage.py bootstrap`: what the first run needs; every later run changes nothing."""

import json
import re
import secrets
import socket
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import transaction

from hosts import services
from hosts.models import Host
from hosts.wishes import Wish
from kvmweb.accounts import audit, queries
from kvmweb.accounts.models import Role, User
from kvmweb.errors import AppError
from kvmweb.virt.types import Address, Transport

SOCKETS = ("/run/libvirt/libvirt-sock", "/run/libvirt/virtqemud-sock")
SYSTEM = "kvmweb"
ANSWER_S = 2


class Command(BaseCommand):
    """Make the first administrator and add this machine as the first host."""

    help = "Make the user admin and add this machine, once; prints what it did."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Print a line for each thing done."""
        for line in (_first_admin(), _first_host()):
            if line:
                self.stdout.write(line)


def _first_admin() -> str:
    """Make the user admin when there is nobody yet; a line about how to sign in."""
    password = settings.ADMIN_PASSWORD or secrets.token_urlsafe(12)
    with transaction.atomic():
        if queries.people().exists():
            return ""
        admin = User.objects.make("admin", password, Role.ADMIN)
        audit.record(
            "user.add",
            actor=SYSTEM,
            target=f"user:{admin.pk}",
            outcome="succeeded",
            details={"username": admin.username, "role": admin.role},
        )
    if settings.ADMIN_PASSWORD:
        return "Sign in as admin with the password of KVMWEB_ADMIN_PASSWORD."
    return f"Sign in as admin with the password {password} (it is shown this once)."


def _first_host() -> str:
    """Add this machine when it has a libvirt and there was never a host."""
    if settings.LOCAL_HOST == "off" or _had_hosts() or not _libvirt_answers():
        return ""
    wish = Wish(
        name=_own_name(),
        address=Address(Transport.LOCAL),
        virt_type=_virt_type(settings.DATA_DIR),
    )
    try:
        host = services.add(wish, by=None)
    except AppError as error:
        return f"This machine was not added as a host: {error}"
    return f"This machine is a host now: {host.name}."


def _had_hosts() -> bool:
    """Whether there is a host, or was one that somebody removed."""
    removed = queries.AuditFilters(action="host.remove")
    return Host.objects.exists() or queries.audit(removed).exists()


def _own_name() -> str:
    """This machine's name as a host may be called."""
    name = re.sub(r"[^a-z0-9.-]", "-", socket.gethostname().lower())[:63].strip("-.")
    return name or "local"


def _virt_type(data_dir: Path) -> str:
    """Emulation where /dev/kvm was tried and does not work, else what the host offers."""
    try:
        works = json.loads((data_dir / "kvm.json").read_text())["works"]
    except (OSError, ValueError, KeyError):
        works = True
    virt_type = Host.VirtType.AUTO if works else Host.VirtType.QEMU
    return virt_type.value


def _libvirt_answers() -> bool:
    """Whether a libvirtd takes connections on this machine."""
    return any(_connects(path) for path in SOCKETS)


def _connects(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(ANSWER_S)
        try:
            client.connect(path)
        except OSError:
            return False
        return True
