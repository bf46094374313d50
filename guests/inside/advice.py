"""What to do where no agent answers: said for the system that runs there. Pure."""

from dataclasses import dataclass

from kvmweb.virt.types import DomainState

_INSTALL = {
    ("debian", "ubuntu", "mint", "kali"): "sudo apt install qemu-guest-agent",
    ("fedora", "redhat", "rhel", "centos", "rocky", "alma", "oracle"): (
        "sudo dnf install qemu-guest-agent"
    ),
    ("suse",): "sudo zypper install qemu-guest-agent",
    ("alpine",): "sudo apk add qemu-guest-agent",
    ("arch",): "sudo pacman -S qemu-guest-agent",
}
_START = "sudo systemctl enable --now qemu-guest-agent"
_WINDOWS = "Run virtio-win-guest-tools.exe from the virtio-win CD inside the guest."


@dataclass(frozen=True, slots=True)
class Advice:
    """Why a guest cannot be looked into, and how it could be."""

    reason: str  # "" when it can
    missing_channel: bool = False
    commands: tuple[str, ...] = ()  # to type inside the guest
    steps: tuple[str, ...] = ()  # for people


def advice(name: str, state: str, os: str, *, agent: bool | None) -> Advice:
    """How it stands with a guest's agent; `agent` and `state` as its host last said."""
    if state != DomainState.RUNNING:
        return Advice(f"{name} does not run, so nobody in it can be asked.")
    if agent:
        return Advice("")
    missing = agent is None
    reason = (
        f"{name} has no channel for a guest agent."
        if missing
        else f"No guest agent answers in {name}."
    )
    if "windows" in os or "microsoft" in os:
        return Advice(reason, missing, steps=(_WINDOWS,))
    return Advice(reason, missing, commands=(*_lines(os), _START))


def _lines(os: str) -> tuple[str, ...]:
    for words, line in _INSTALL.items():
        if any(word in os.lower() for word in words):
            return (line,)
    return (
        "sudo apt install qemu-guest-agent  # Debian and kin",
        "sudo dnf install qemu-guest-agent  # Fedora and kin",
    )
