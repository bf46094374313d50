"""What /metrics says of guests: how many in which state; one by one for who may see."""

from collections.abc import Iterator

from django.db.models import Count
from prometheus_client.core import GaugeMetricFamily, Metric

from guests.models import Guest
from kvmweb import samples
from kvmweb.health import metrics_source
from kvmweb.virt.types import DomainState

# A field of GuestSample, its name for Prometheus, and what it is.
NUMBERS = (
    ("cpu_percent", "cpu_percent", "Of what it may use."),
    ("memory_bytes", "memory_bytes", "Memory in use, as the guest says."),
    ("memory_host_bytes", "memory_host_bytes", "Memory, as the host pays."),
    ("disk_read_bytes_s", "disk_read_bytes_per_second", "Read from disks."),
    ("disk_write_bytes_s", "disk_write_bytes_per_second", "Written to disks."),
    ("net_rx_bytes_s", "network_receive_bytes_per_second", "Received."),
    ("net_tx_bytes_s", "network_transmit_bytes_per_second", "Sent."),
)


@metrics_source
def guests(*, named: bool) -> Iterator[Metric]:
    """Totals, then each guest by name."""
    total = GaugeMetricFamily("kvmweb_guests", "Guests by state.", labels=["state"])
    counted = dict(Guest.objects.order_by().values_list("state").annotate(Count("pk")))
    for state in DomainState:
        total.add_metric([state.value], counted.get(state.value, 0))
    yield total
    if named:
        yield from _each()


def _each() -> Iterator[Metric]:
    labels = ["uuid", "name", "host"]
    running = GaugeMetricFamily(
        "kvmweb_guest_running", "Whether it runs.", labels=labels
    )
    families = {
        number: GaugeMetricFamily(f"kvmweb_guest_{name}", said, labels=labels)
        for number, name, said in NUMBERS
    }
    rows = Guest.objects.exclude(state=DomainState.GONE).order_by("name", "pk")
    known = list(rows.values_list("pk", "name", "host__name", "state"))
    now = samples.latest([uuid for uuid, *_ in known])
    for uuid, name, host, state in known:
        who = [str(uuid), name, host or ""]
        running.add_metric(who, state == DomainState.RUNNING)
        for number, family in families.items():
            value = getattr(now.get(uuid), number, None)
            if value is not None:
                family.add_metric(who, value)
    yield running
    yield from families.values()
