"""Forms of networks. What is wrong in them is said by the services, in the same words."""

from typing import Any

from django import forms

from hosts.models import Network
from hosts.networks.services import wish_of
from hosts.networks.wishes import Wish
from kvmweb.errors import AppError, Conflict, Invalid
from kvmweb.virt.netplan import DhcpRange

_MODES = [
    ("nat", "NAT: to the world through the host, which hides them"),
    ("route", "Routed: through the host, with addresses of their own"),
    ("isolated", "Isolated: guests and host among themselves"),
    ("open", "Open: routed, and the host's firewall is left alone"),
    ("bridge", "Bridge: guests stand in the host's own network"),
]


class _Told(forms.Form):
    """A form that a service may find fault with."""

    def tell(self, error: AppError) -> None:
        """Put what a service refused beside the fields it is about."""
        errors = error.errors if isinstance(error, Invalid | Conflict) else {}
        for name, sentences in errors.items():
            for sentence in sentences:
                self.add_error(name if name in self.fields else None, sentence)
        if not errors:
            self.add_error(None, str(error))


class NetworkForm(_Told):
    """A network, whole. Fields bear the API's names."""

    name = forms.CharField(
        max_length=63, help_text="Small letters, digits, dots and dashes."
    )
    mode = forms.ChoiceField(choices=_MODES, label="How it reaches the world")
    bridge = forms.CharField(
        max_length=15,
        required=False,
        help_text="On the host. In bridge mode the one that is there; else a new name, "
        "or empty for one that libvirt chooses.",
    )
    cidr = forms.CharField(
        max_length=64,
        required=False,
        label="Network",
        help_text="For example 10.1.2.0/24. The host takes the first address, or the one "
        "you write (10.1.2.254/24).",
    )
    dhcp = forms.BooleanField(
        required=False, initial=True, label="Give out its addresses by DHCP"
    )
    dhcp_start = forms.CharField(
        max_length=64,
        required=False,
        label="First address given out",
        help_text="Leave both empty for all but the host's own.",
    )
    dhcp_end = forms.CharField(
        max_length=64, required=False, label="Last address given out"
    )
    vlan = forms.IntegerField(
        min_value=1,
        max_value=4094,
        required=False,
        label="VLAN",
        help_text="Only on an Open vSwitch bridge; a plain one cannot tag.",
    )
    autostart = forms.BooleanField(
        required=False, initial=True, label="Bring it up when the host starts"
    )

    def __init__(self, *args: Any, bridges: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.bridges = bridges  # offered beside what is typed
        self.fields["bridge"].widget.attrs["list"] = "bridges"

    def said(self) -> dict[str, Any]:
        """Fields of a Wish as they were typed; what the mode does not know is left out."""
        told = self.cleaned_data
        bridged = told["mode"] == "bridge"
        return {
            "mode": told["mode"],
            "bridge": told["bridge"],
            "cidr": "" if bridged else told["cidr"],
            "dhcp": False if bridged else self._dhcp(),
            "vlan": told["vlan"] if bridged else None,
        }

    def wish(self) -> Wish:
        """The network that is wished; the form must be valid."""
        return Wish(name=self.cleaned_data["name"], **self.said())

    def _dhcp(self) -> DhcpRange | bool:
        told = self.cleaned_data
        if not told["dhcp"]:
            return False
        if not (told["dhcp_start"] or told["dhcp_end"]):
            # Without a network there is nothing to give out, and nothing to refuse.
            return bool(told["cidr"]) or told["mode"] != "isolated"
        return DhcpRange(told["dhcp_start"], told["dhcp_end"])


class NetworkEditForm(NetworkForm):
    """The same for one that is there; its name stays."""

    def __init__(self, network: Network, *args: Any, **kwargs: Any) -> None:
        kwargs["initial"] = _initial_of(network)
        super().__init__(*args, **kwargs)
        del self.fields["name"]
        kept = [
            choice
            for choice in _MODES
            if (choice[0] == "bridge") == (network.mode == "bridge")
        ]
        self.fields["mode"] = forms.ChoiceField(
            choices=kept, label="How it reaches the world"
        )

    def said(self) -> dict[str, Any]:
        """What was typed, autostart too."""
        return {**super().said(), "autostart": self.cleaned_data["autostart"]}


def _initial_of(network: Network) -> dict[str, Any]:
    wish = wish_of(network)
    first = wish.dhcp if isinstance(wish.dhcp, DhcpRange) else None
    return {
        "mode": wish.mode,
        "bridge": wish.bridge,
        "cidr": wish.cidr,
        "dhcp": network.dhcp,
        "dhcp_start": first.start if first else "",
        "dhcp_end": first.end if first else "",
        "vlan": wish.vlan,
        "autostart": network.autostart,
    }


class LeaseForm(_Told):
    """A network card that always gets the same address."""

    mac = forms.CharField(max_length=17, label="MAC address")
    address = forms.CharField(max_length=64)
    name = forms.CharField(max_length=63, required=False, label="Host name")


class DeleteForm(_Told):
    """What cannot be undone asks for the name."""

    name = forms.CharField(max_length=255, label="Type its name to delete it")

    def __init__(self, network: Network, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._network = network

    def clean_name(self) -> str:
        """The name, if it is the network's."""
        name: str = self.cleaned_data["name"]
        if name != self._network.name:
            message = f"This is not its name: {self._network.name}."
            raise forms.ValidationError(message)
        return name
