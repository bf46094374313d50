"""What /metrics says of hosts: how many in which state; one by one for who may see."""

from collections.abc import Iterator

from django.db.models import Count
from prometheus_client.core import GaugeMetricFamily, Metric

from hosts.models import Host
from kvmweb import samples
from kvmweb.health import metrics_source


@metrics_source
def hosts(*, named: bool) -> Iterator[Metric]:
    """Totals, then each host by name."""
    total = GaugeMetricFamily("kvmweb_hosts", "Hosts by state.", labels=["state"])
    counted = dict(Host.objects.order_by().values_list("state").annotate(Count("pk")))
    for state in Host.State.values:
        total.add_metric([state], counted.get(state, 0))
    yield total
    if named:
        yield from _each()


def _each() -> Iterator[Metric]:
    labels = ["host"]
    up = GaugeMetricFamily("kvmweb_host_up", "Whether it answers.", labels=labels)
    cpus = GaugeMetricFamily("kvmweb_host_cpus", "Logical CPUs.", labels=labels)
    memory = GaugeMetricFamily("kvmweb_host_memory_bytes", "Memory.", labels=labels)
    used = GaugeMetricFamily(
        "kvmweb_host_memory_used_bytes", "Memory in use.", labels=labels
    )
    busy = GaugeMetricFamily(
        "kvmweb_host_cpu_percent", "Of all its CPUs.", labels=labels
    )
    rows = list(Host.objects.all())
    now = samples.latest_of_hosts([host.pk for host in rows])
    for host in rows:
        up.add_metric([host.name], host.state == Host.State.UP)
        cpus.add_metric([host.name], host.cpus)
        memory.add_metric([host.name], host.memory_bytes)
        sample = now.get(host.pk)
        if sample and sample.cpu_percent is not None:
            busy.add_metric([host.name], sample.cpu_percent)
        if sample and sample.memory_bytes is not None:
            used.add_metric([host.name], sample.memory_bytes)
    yield from (up, cpus, memory, used, busy)
