"""Verbs that only tests ask for: slow, wrong or telling ones."""

import os
import signal
import time

import libvirt

from kvmweb.virt.connection import verb


@verb(deadline_s=10)
def names(conn: libvirt.virConnect) -> list[str]:
    """The names of all domains."""
    return sorted(domain.name() for domain in conn.listAllDomains(0))


@verb(deadline_s=0.3)
def hang(conn: libvirt.virConnect) -> None:
    """Never answer."""
    time.sleep(600)


@verb(deadline_s=10)
def pid(conn: libvirt.virConnect) -> int:
    """Of the child that answers."""
    return os.getpid()


@verb(deadline_s=10)
def modules(conn: libvirt.virConnect, start: str) -> list[str]:
    """The loaded modules of a package."""
    import sys

    return [name for name in sys.modules if name.split(".")[0] == start]


@verb(deadline_s=10)
def die(conn: libvirt.virConnect) -> None:
    """End in the middle of a call, as a crash of libvirt would."""
    os.kill(os.getpid(), signal.SIGKILL)


@verb(deadline_s=10)
def nap(conn: libvirt.virConnect, seconds: float) -> float:
    """Answer late."""
    time.sleep(seconds)
    return seconds


@verb(deadline_s=10)
def ask_for_nobody(conn: libvirt.virConnect) -> None:
    """A call that libvirt refuses, not explained by the verb."""
    conn.lookupByName("nobody")


@verb(deadline_s=10)
def environment(conn: libvirt.virConnect) -> str:
    """All that a person on this machine may read of the child's start."""
    command = open("/proc/self/cmdline", "rb").read()  # noqa: SIM115  read before anything else runs
    return str(dict(os.environ)) + command.decode()


def count(channel, address, upto: int) -> None:  # type: ignore[no-untyped-def]
    """For `spawn`: numbers, then silence."""
    for number in range(upto):
        channel.send((address.transport, number))
    time.sleep(600)
