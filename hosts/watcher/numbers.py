"""Numbers of a tick on their way to Redis and to live pages; runs for every tick."""

from kvmweb import samples
from kvmweb.live import news
from kvmweb.virt.types import GuestSample, HostSample, Tick

_NOTHING = HostSample(None, None, None)


def tell(host_id: int, tick: Tick) -> None:
    """Keep the numbers of one tick, and tell them to who listens."""
    if not tick.guests and tick.host == _NOTHING:
        return  # it only says that the host answers
    samples.write(host_id, tick)
    guests = {str(uuid): _guest(told) for uuid, told in tick.guests.items()}
    host = _host(tick.host)
    news.publish_many(
        [
            ("guests", "stats", {"host": host_id, "guests": guests}),
            ("hosts", "stats", {"hosts": {host_id: host}}),
        ]
    )


def _guest(told: GuestSample) -> dict[str, float | None]:
    return {
        "cpu_percent": _tenths(told.cpu_percent),
        "memory_bytes": told.memory_bytes,
        "memory_host_bytes": told.memory_host_bytes,
        "disk_read_bytes_s": _whole(told.disk_read_bytes_s),
        "disk_write_bytes_s": _whole(told.disk_write_bytes_s),
        "net_rx_bytes_s": _whole(told.net_rx_bytes_s),
        "net_tx_bytes_s": _whole(told.net_tx_bytes_s),
    }


def _host(told: HostSample) -> dict[str, float | None]:
    return {
        "cpu_percent": _tenths(told.cpu_percent),
        "memory_bytes": told.memory_bytes,
        "memory_free_bytes": told.memory_free_bytes,
    }


def _tenths(said: float | None) -> float | None:
    return None if said is None else round(said, 1)


def _whole(said: float | None) -> int | None:
    return None if said is None else int(said)
