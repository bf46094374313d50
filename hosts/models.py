"""Rows: hosts and what they carry. Columns under "facts" are written by facts.py alone."""

from django.db import models
from django.urls import reverse
from django.utils import timezone

from kvmweb.virt.types import HostSample, Transport


class Host(models.Model):
    """A machine with libvirt: how it is reached, and what it says of itself."""

    class State(models.TextChoices):
        """As seen from here; maintenance is a wish and stands beside it."""

        CONNECTING = "connecting"
        UP = "up"
        DOWN = "down"

    class VirtType(models.TextChoices):
        """What new guests get; auto takes kvm where the host offers it."""

        AUTO = "auto"
        KVM = "kvm"
        QEMU = "qemu"

    sample: HostSample | None = None  # beside the row: hosts.queries puts it there

    # Ours: what people said.
    name = models.CharField(max_length=63, unique=True)
    transport = models.CharField(
        max_length=5, choices=[(t.value, t.value) for t in Transport]
    )
    address = models.CharField(max_length=253, blank=True, default="")
    port = models.PositiveIntegerField(null=True, blank=True)
    username = models.CharField(max_length=64, blank=True, default="")
    socket_path = models.CharField(max_length=200, blank=True, default="")
    migration_address = models.CharField(max_length=253, blank=True, default="")
    virt_type_wanted = models.CharField(
        max_length=4, choices=VirtType, default=VirtType.AUTO
    )
    tags = models.JSONField(default=list, blank=True)
    maintenance = models.BooleanField(default=False)
    reserved_memory_bytes = models.BigIntegerField(default=0)  # for itself alone
    cpu_overcommit = models.FloatField(null=True, blank=True)  # None: no limit
    memory_overcommit = models.FloatField(default=1.0)  # its memory, promised so often
    secrets = models.TextField(blank=True, default="")  # encrypted; never leaves
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    # Facts: what the host said.
    state = models.CharField(max_length=10, choices=State, default=State.CONNECTING)
    state_since = models.DateTimeField(default=timezone.now)
    error = models.TextField(blank=True, default="")
    error_hint = models.TextField(blank=True, default="")
    seen_at = models.DateTimeField(null=True)  # the last time it answered
    hostname = models.CharField(max_length=255, blank=True, default="")
    uuid = models.UUIDField(null=True)
    arch = models.CharField(max_length=32, blank=True, default="")
    cpu_model = models.CharField(max_length=128, blank=True, default="")
    cpus = models.PositiveIntegerField(default=0)
    sockets = models.PositiveIntegerField(default=0)
    cores = models.PositiveIntegerField(default=0)
    threads = models.PositiveIntegerField(default=0)
    cpu_mhz = models.PositiveIntegerField(default=0)
    memory_bytes = models.BigIntegerField(default=0)
    memory_free_bytes = models.BigIntegerField(null=True)
    numa = models.JSONField(default=list)
    libvirt_version = models.CharField(max_length=32, blank=True, default="")
    hypervisor = models.CharField(max_length=32, blank=True, default="")
    hypervisor_version = models.CharField(max_length=32, blank=True, default="")
    virt_types = models.JSONField(default=list)
    encrypted = models.BooleanField(default=False)
    capabilities = models.JSONField(default=dict)  # HostCapabilities; {}: not asked yet
    interfaces = models.JSONField(default=list)  # [{name, kind}], but those of guests
    check_steps = models.JSONField(default=list)  # the last check, step by step
    checked_at = models.DateTimeField(null=True)

    # The watcher's lease.
    watcher = models.CharField(max_length=100, blank=True, default="")
    watched_until = models.DateTimeField(null=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Its page."""
        return reverse("host", args=[self.pk])

    @property
    def topic(self) -> str:
        """What live pages listen to."""
        return f"host:{self.pk}"

    @property
    def shown_state(self) -> str:
        """The word of the API: "maintenance" when it is up and in maintenance."""
        if self.maintenance and self.state == self.State.UP:
            return "maintenance"
        return self.state

    @property
    def virt_type(self) -> str:
        """What a new guest gets here: kvm or qemu; "" until the host was seen."""
        if self.virt_type_wanted != self.VirtType.AUTO:
            return self.virt_type_wanted
        return next((t for t in ("kvm", "qemu", "test") if t in self.virt_types), "")


class Watcher(models.Model):
    """A watcher that lives: those who live share the hosts."""

    name = models.CharField(max_length=100, unique=True)
    alive_until = models.DateTimeField()  # on the database's clock

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Pool(models.Model):
    """A storage pool of a host. All facts."""

    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="pools")
    uuid = models.UUIDField()
    name = models.CharField(max_length=255)
    type = models.CharField(max_length=32)
    active = models.BooleanField()
    autostart = models.BooleanField()
    persistent = models.BooleanField()
    target = models.CharField(max_length=1024, blank=True, default="")
    capacity_bytes = models.BigIntegerField(default=0)
    allocation_bytes = models.BigIntegerField(default=0)
    available_bytes = models.BigIntegerField(default=0)
    problem = models.TextField(blank=True, default="")

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["host", "uuid"], name="one_pool_a_host")
        ]

    def __str__(self) -> str:
        return self.name


class Volume(models.Model):
    """A volume of a pool. All facts."""

    pool = models.ForeignKey(Pool, on_delete=models.CASCADE, related_name="volumes")
    name = models.CharField(max_length=1024)
    key = models.CharField(max_length=1024)
    path = models.CharField(max_length=1024, db_index=True)
    format = models.CharField(max_length=32, blank=True, default="")
    capacity_bytes = models.BigIntegerField(default=0)
    allocation_bytes = models.BigIntegerField(default=0)
    backing_path = models.CharField(max_length=1024, blank=True, default="")

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["pool", "name"], name="one_volume_a_pool")
        ]

    def __str__(self) -> str:
        return self.name


class Network(models.Model):
    """A virtual network of a host. All facts."""

    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="networks")
    uuid = models.UUIDField()
    name = models.CharField(max_length=255)
    active = models.BooleanField()
    autostart = models.BooleanField()
    persistent = models.BooleanField()
    mode = models.CharField(max_length=32, blank=True, default="")
    bridge = models.CharField(max_length=64, blank=True, default="")
    cidr = models.CharField(max_length=64, blank=True, default="")
    dhcp = models.BooleanField(default=False)
    gateway = models.CharField(max_length=64, blank=True, default="")  # its host's
    ranges = models.JSONField(default=list)  # [{start, end}]
    fixed = models.JSONField(default=list)  # [{mac, address, name}]
    leases = models.JSONField(default=list)  # [{mac, address, hostname, expires_at}]
    vlan = models.PositiveIntegerField(null=True)
    openvswitch = models.BooleanField(default=False)
    portgroups = models.JSONField(default=list)
    problem = models.TextField(blank=True, default="")

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["host", "uuid"], name="one_net_a_host")
        ]

    def __str__(self) -> str:
        return self.name


class HostDevice(models.Model):
    """A USB or PCI device of a host that could be given to a guest. All facts."""

    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="devices")
    name = models.CharField(max_length=255)  # libvirt's: "pci_0000_00_1f_3"
    kind = models.CharField(max_length=8)  # usb, pci
    vendor = models.CharField(max_length=255, blank=True, default="")
    product = models.CharField(max_length=255, blank=True, default="")
    vendor_id = models.CharField(max_length=16, blank=True, default="")  # "0x8086"
    product_id = models.CharField(max_length=16, blank=True, default="")
    address = models.JSONField(default=dict)  # PciPlace or UsbPlace
    driver = models.CharField(max_length=64, blank=True, default="")
    iommu_group = models.PositiveIntegerField(null=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["host", "name"], name="one_device_a_host")
        ]

    def __str__(self) -> str:
        return f"{self.vendor} {self.product}".strip() or self.name


class NetworkFilter(models.Model):
    """A packet filter of a host, for its guests' network cards. All facts."""

    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="filters")
    name = models.CharField(max_length=255)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["host", "name"], name="one_filter_a_host")
        ]

    def __str__(self) -> str:
        return self.name


# The rooms' own rows; here so that Django finds them.
from hosts.storage import models as storage_rows  # noqa: E402, F401
