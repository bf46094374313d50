"""Forms of hosts. What is wrong in them is said by the services, in the same words."""

from typing import Any

from django import forms

from hosts.models import Host
from hosts.shapes import changed
from hosts.wishes import Wish
from kvmweb.errors import AppError, Conflict, Invalid
from kvmweb.virt.types import Address, Transport

_TRANSPORTS = [
    (Transport.LOCAL.value, "This machine"),
    (Transport.SSH.value, "ssh"),
    (Transport.TLS.value, "TLS"),
    (Transport.TCP.value, "TCP, not encrypted"),
    (Transport.UNIX.value, "A socket of this machine"),
    (Transport.TEST.value, "libvirt's test driver"),
]
_VIRT_TYPES = [
    ("auto", "kvm where the host offers it"),
    ("kvm", "kvm"),
    ("qemu", "qemu, without the processor's help"),
]
_GIB = 1024**3
_KEPT = "Leave empty to keep what is stored. It is never shown again."


class SecretInput(forms.PasswordInput):
    """One line that never comes back."""


class SecretText(forms.Textarea):
    """Several lines that never come back, not even with an error beside them."""

    def format_value(self, value: Any) -> str | None:
        """Nothing."""
        return None


class HostForm(forms.Form):
    """A host, whole. Fields bear the API's names."""

    name = forms.CharField(max_length=63, help_text="How this product calls it.")
    transport = forms.ChoiceField(choices=_TRANSPORTS, label="Reached by")
    address = forms.CharField(
        max_length=253, required=False, help_text="Host name or IP address."
    )
    port = forms.IntegerField(
        min_value=1,
        max_value=65535,
        required=False,
        help_text="Empty: 22 for ssh, 16514 for TLS, 16509 for TCP.",
    )
    username = forms.CharField(max_length=64, required=False, label="User name")
    socket_path = forms.CharField(
        max_length=200, required=False, label="Path of the socket"
    )
    migration_address = forms.CharField(
        max_length=253,
        required=False,
        help_text="How other hosts reach it when a guest moves, if not by its address.",
    )
    virt_type = forms.ChoiceField(
        choices=_VIRT_TYPES, initial="auto", label="New guests run by"
    )
    tags = forms.CharField(
        max_length=1000, required=False, help_text="Words with spaces between them."
    )
    reserved_memory_gib = forms.FloatField(
        required=False,
        min_value=0,
        max_value=2**30,
        label="Memory kept for the host itself, GiB",
        help_text="Guests never get it.",
    )
    memory_overcommit = forms.FloatField(
        required=False,
        label="Memory may be promised so often",
        help_text="1: each byte once. More lets guests share what they do not use.",
    )
    cpu_overcommit = forms.FloatField(
        required=False,
        label="vCPUs a CPU may be promised to",
        help_text="Empty: no limit.",
    )
    password = forms.CharField(
        max_length=1024, required=False, widget=SecretInput, help_text=_KEPT
    )
    ssh_private_key = forms.CharField(
        required=False, widget=SecretText, label="ssh private key", help_text=_KEPT
    )
    ssh_host_key = forms.CharField(
        required=False,
        widget=SecretText,
        label="ssh host key",
        help_text=f"The key of the host that is trusted: “ssh-ed25519 AAAA…”. {_KEPT}",
    )
    tls_ca = forms.CharField(
        required=False, widget=SecretText, label="CA certificate", help_text=_KEPT
    )
    tls_certificate = forms.CharField(
        required=False, widget=SecretText, label="Client certificate", help_text=_KEPT
    )
    tls_key = forms.CharField(
        required=False, widget=SecretText, label="Client key", help_text=_KEPT
    )
    forget_secrets = forms.BooleanField(
        required=False,
        label="Forget the stored secrets",
        help_text="Only those that are entered here are kept.",
    )

    SECRETS = (
        "password",
        "ssh_private_key",
        "ssh_host_key",
        "tls_ca",
        "tls_certificate",
        "tls_key",
    )

    def wish(self, before: Wish | None = None) -> Wish:
        """What the form says, upon what was stored before; it must be valid."""
        said: dict[str, Any] = dict(self.cleaned_data)
        forget = said.pop("forget_secrets")
        said["tags"] = said["tags"].replace(",", " ").split()
        said["reserved_memory_bytes"] = int((said["reserved_memory_gib"] or 0) * _GIB)
        if said["memory_overcommit"] is None:
            said["memory_overcommit"] = 1.0
        for name in self.SECRETS:
            if not said[name] and not forget:
                del said[name]
        start = before or Wish("", Address(Transport(said["transport"])))
        return changed(start, said)

    def tell(self, error: AppError) -> None:
        """Put what a service refused beside the fields it is about."""
        errors = error.errors if isinstance(error, Invalid | Conflict) else {}
        for name, sentences in errors.items():
            for sentence in sentences:
                self.add_error(name if name in self.fields else None, sentence)
        if not errors:
            self.add_error(None, str(error))


def initial_of(host: Host) -> dict[str, Any]:
    """What the form starts with; no secrets."""
    return {
        "name": host.name,
        "transport": host.transport,
        "address": host.address,
        "port": host.port,
        "username": host.username,
        "socket_path": host.socket_path,
        "migration_address": host.migration_address,
        "virt_type": host.virt_type_wanted,
        "tags": " ".join(host.tags),
        "reserved_memory_gib": host.reserved_memory_bytes / _GIB or "",
        "memory_overcommit": host.memory_overcommit,
        "cpu_overcommit": host.cpu_overcommit,
    }


class RemoveForm(forms.Form):
    """What cannot be undone asks for the name."""

    name = forms.CharField(max_length=63, label="Type its name to remove it")

    def __init__(self, host: Host, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._host = host

    def clean_name(self) -> str:
        """The name, if it is the host's."""
        name: str = self.cleaned_data["name"]
        if name != self._host.name:
            message = f"This is not its name: {self._host.name}."
            raise forms.ValidationError(message)
        return name


class MaintenanceForm(forms.Form):
    """The wish behind the button."""

    enabled = forms.BooleanField(required=False)
