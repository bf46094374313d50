"""The page of a new guest: what a person typed, and the wish it means.

What is wrong is said by the services, in the words of the API, and put at the field here.
"""

from typing import Any

from django import forms

from guests.creation import typed, wanted
from guests.creation.amounts import HELP
from guests.creation.choices import Choices, Groups
from guests.creation.fields import OneOf, SeveralOf, SizeField
from guests.creation.reading import likes_of
from guests.creation.wanted import Wanted
from guests.images.seed import CloudInit
from hosts.forms import SecretInput
from kvmweb.accounts.gate import Right, may
from kvmweb.accounts.models import User
from kvmweb.errors import AppError, Invalid

SOURCES = {
    "image": "An image",
    "iso": "An ISO",
    "volume": "A disk that is there",
    "blank": "Empty",
}
FIRMWARE = {"bios": "BIOS", "uefi": "UEFI", "uefi-secure": "UEFI with secure boot"}
MODES = {
    "host-model": "Like its host's (host-model)",
    "host-passthrough": "Its host's own (host-passthrough)",
    "baseline": "What all hosts have (baseline)",
    "maximum": "All that can be had (maximum)",
    "named": "A named model",
}
BOOTS = {
    "disk cdrom network": "Disk, CD, network",
    "cdrom disk network": "CD, disk, network",
    "network disk cdrom": "Network, disk, CD",
}
WATCHDOGS = {
    "reset": "Reset it",
    "poweroff": "Force it off",
    "pause": "Pause it",
    "shutdown": "Shut it down",
    "none": "Do nothing",
}


_FOLDS = {
    "Host and firmware": ("host", "firmware", "tpm", "boot", "screen", "autostart"),
    "Processor and memory": (
        *("cpu_mode", "cpu_model", "sockets", "cores", "threads", "vcpus_max"),
        *("memory_max", "balloon", "hugepages"),
    ),
    "Disks": (
        *("pool", "bus", "format", "cache", "io", "iothreads", "total_bytes_s"),
        *("total_iops", "disk2", "copy"),
    ),
    "Network": ("model", "mac", "bridge", "inbound", "outbound", "network2"),
    "Watchdog and random numbers": ("watchdog", "rng"),
    "Devices and directories of the host": ("devices", "shares"),
    "Description, tags and owner": ("title", "description", "tags", "owner"),
}
_ASKED = ("image", "volume", "iso", "host", "os", "name")  # that links may ask for


def _number(label: str, least: int, most: int, **about: Any) -> forms.IntegerField:
    return forms.IntegerField(
        label=label,
        min_value=least,
        max_value=most,
        required=False,
        **about,
    )


def _words(label: str, most: int, **about: Any) -> forms.CharField:
    return forms.CharField(label=label, max_length=most, required=False, **about)


def _tick(
    label: str, *, initial: bool = False, help_text: str = ""
) -> forms.BooleanField:
    return forms.BooleanField(
        label=label, required=False, initial=initial, help_text=help_text
    )


class CreateForm(forms.Form):
    """A new guest, whole."""

    source = forms.ChoiceField(
        choices=list(SOURCES.items()), widget=forms.RadioSelect, initial="image"
    )
    image = OneOf(label="Image")
    iso = OneOf(label="ISO in the drive")
    volume = OneOf(label="Volume", help_text="Those that no guest uses.")
    os = OneOf(label="Operating system", help_text="Decides what fits it best.")
    drivers = OneOf(
        label="ISO with virtio drivers",
        help_text="Then its disks and cards are virtio, which is much faster.",
    )
    name = forms.CharField(
        max_length=63,
        help_text="Small letters, digits, dots and dashes.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    count = _number("How many", 1, wanted.COUNT_MAX, initial=1)
    vcpus = _number("vCPUs", 1, wanted.VCPUS_MAX)
    memory = SizeField(label="Memory", least=1, help_text=HELP)
    disk = SizeField(label="Disk", help_text="It grows as it is written; 0: none.")
    network = OneOf(label="Network")

    ci_hostname = _words("Host name", 63, help_text="Empty: the guest's name.")
    ci_user = _words("User", 32, help_text="May become root with sudo.")
    ci_password = _words("Password", 256, widget=SecretInput)
    ci_keys = _words(
        "SSH keys", 40000, widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Public keys, one a line.",
    )  # fmt: skip
    ci_address = _words(
        "Address", 100, help_text="Like 10.0.0.5/24. Empty: the network tells it."
    )
    ci_gateway = _words("Gateway", 64)
    ci_dns = _words("Name servers", 300)
    ci_user_data = _words(
        "Own user-data", 2**17, widget=forms.Textarea(attrs={"rows": 4}),
        help_text="YAML that begins with #cloud-config.",
    )  # fmt: skip

    host = OneOf(label="Host")
    pool = OneOf(label="Storage pool")
    firmware = OneOf(label="Firmware")
    tpm = OneOf(label="TPM 2.0")
    cpu_mode = OneOf(label="Processor")
    cpu_model = OneOf(label="Named model")
    sockets = _number("Sockets", 1, wanted.VCPUS_MAX)
    cores = _number("Cores a socket", 1, wanted.VCPUS_MAX)
    threads = _number("Threads a core", 1, wanted.VCPUS_MAX)
    memory_max = SizeField(
        label="Memory at most", least=1, help_text="To grow while it runs."
    )
    vcpus_max = _number("vCPUs at most", 1, wanted.VCPUS_MAX)
    balloon = _tick("Balloon", initial=True, help_text="Its memory can be changed.")
    hugepages = _tick("Huge pages", help_text="Its host must have them set aside.")
    bus = OneOf(label="Disks on")
    format = OneOf(label="Disk format")
    copy = _tick(
        "Copy the whole image", help_text="Else the disk stands on the host's copy."
    )
    cache = OneOf(label="Cache")
    io = OneOf(label="I/O by")
    iothreads = _number("I/O threads", 0, 64)
    disk2 = SizeField(label="Second disk")
    total_bytes_s = SizeField(label="Bytes a second at most", help_text="Of its disk.")
    total_iops = _number("Operations a second at most", 0, wanted.LIMIT_MOST)
    model = OneOf(label="Network card")
    network2 = OneOf(label="Second network")
    bridge = _words("Bridge of the host", 64, help_text="Instead of a network.")
    mac = _words("MAC address", 17, help_text="Empty: a new one.")
    inbound = _number("Inbound KiB/s at most", 0, wanted.SPEED_MOST)
    outbound = _number("Outbound KiB/s at most", 0, wanted.SPEED_MOST)
    screen = OneOf(label="Screen")
    boot = OneOf(label="Boots from")
    watchdog = OneOf(label="Watchdog", help_text="What happens when it hangs.")
    rng = _tick("Random numbers from its host", initial=True)
    devices = SeveralOf(label="Devices of the host")
    shares = _words(
        "Directories of the host", 4000, widget=forms.Textarea(attrs={"rows": 2}),
        help_text="One a line: its path, a blank, and the tag the guest mounts.",
    )  # fmt: skip
    title = _words("Title", 255)
    description = _words("Description", 16384, widget=forms.Textarea(attrs={"rows": 2}))
    tags = _words("Tags", 2000, help_text="Words with spaces between them.")
    owner = OneOf(label="Owner")
    start = _tick("Start it", initial=True)
    autostart = _tick("Start it with its host")

    def __init__(self, user: User, offered: Choices, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._user = user
        self.offered = offered
        self._offer(offered)
        for name, words in likes_of("").items():
            self.fields[name].widget.attrs["placeholder"] = words
        if not may(user, Right.HOST_DEVICES):
            del self.fields["devices"], self.fields["shares"]
        if not may(user, Right.MANAGE_USERS):
            del self.fields["owner"]

    def _offer(self, offered: Choices) -> None:
        lists: dict[str, tuple[Any, str]] = {
            "image": (offered.images, "Choose an image"),
            "iso": (offered.isos, "None"),
            "volume": (offered.volumes, "Choose a volume"),
            "drivers": (offered.isos, "None"),
            "os": (offered.systems, "Not said"),
            "network": (offered.networks, "None"),
            "network2": (offered.networks, "None"),
            "host": (offered.hosts, "The best one is chosen"),
            "pool": (offered.pools, "The best one is chosen"),
            "cpu_model": (offered.cpu_models, "None"),
            "owner": (offered.owners, "Nobody"),
            "firmware": (_plain(FIRMWARE), "What its system likes"),
            "cpu_mode": (_plain(MODES), "What fits its host"),
            "boot": (_plain(BOOTS), ""),
            "watchdog": (_plain(WATCHDOGS), "None"),
            "tpm": (_plain({"yes": "Yes", "no": "No"}), "As its system needs it"),
            "bus": (_same(wanted.BUSES), "What its system likes"),
            "model": (_same(wanted.NIC_MODELS), "What its system likes"),
            "format": (_same(wanted.FORMATS), "What fits the pool"),
            "cache": (_same(wanted.CACHES), "The hypervisor's choice"),
            "io": (_same(wanted.IO_WAYS), "The hypervisor's choice"),
            "screen": (_plain({"vnc": "VNC", "none": "None"}), ""),
        }
        for name, (groups, empty) in lists.items():
            field: Any = self.fields[name]
            field.offer(groups, empty)
        devices: Any = self.fields["devices"]
        devices.offer(offered.devices)

    @property
    def folds(self) -> list[tuple[str, list[forms.BoundField]]]:
        """The details by their headings, those that this person may set."""
        return [
            (title, [self[name] for name in names if name in self.fields])
            for title, names in _FOLDS.items()
            if any(name in self.fields for name in names)
        ]

    @property
    def open_folds(self) -> set[str]:
        """The headings under which something is wrong."""
        return {
            title
            for title, names in _FOLDS.items()
            if any(name in self.errors for name in names)
        }

    @property
    def named_errors(self) -> list[tuple[str, list[str]]]:
        """What is wrong, by the label of the field."""
        return [
            (
                str(self[name].label) if name in self.fields else "",
                [str(each) for each in sentences],
            )
            for name, sentences in self.errors.items()
        ]

    def clean(self) -> dict[str, Any]:
        """The source needs what it is called after."""
        told = self.cleaned_data
        source = told.get("source")
        if source in {"image", "iso", "volume"} and not told.get(source):
            self.add_error(source, "Choose one.")
        return told

    def wish(self) -> Wanted:
        """What it asks for, once it is valid."""
        return typed.wanted_of(self.cleaned_data, self._user.username)

    def cloud(self) -> CloudInit | None:
        """Who the guest is told to be, if anything was said."""
        return typed.cloud_of(self.cleaned_data)

    def tell(self, error: AppError) -> None:
        """Put what a service refused beside the fields it is about."""
        errors = error.errors if isinstance(error, Invalid) else {}
        for part, sentences in errors.items():
            field = typed.field_of(part, self.cleaned_data.get("source", ""))
            for sentence in sentences:
                self.add_error(field if field in self.fields else None, sentence)
        if not errors:
            self.add_error(None, str(error))


def beginning(asked: dict[str, str], offered: Choices) -> dict[str, Any]:
    """What the form starts with: what a link asks for, else what there is."""
    known = {name: text[:300] for name, text in asked.items() if name in _ASKED}
    source = next((it for it in ("image", "volume", "iso") if it in known), "")
    if not source:
        lists = {"image": offered.images, "iso": offered.isos, "blank": True}
        source = next(name for name, there in lists.items() if there)
    networks = [word for _, options in offered.networks for word, _ in options]
    return {"source": source, "network": next(iter(networks), ""), **known}


def _plain(words: dict[str, str]) -> Groups:
    return [("", list(words.items()))]


def _same(words: tuple[str, ...]) -> Groups:
    return [("", [(word, word) for word in words])]
