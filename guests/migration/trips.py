"""What libvirt is told of a move: the documents as its target has them, and the means."""

from dataclasses import replace

from guests.migration import carrying, ladder, ways
from guests.migration.journey import Journey
from kvmweb.virt.migration_jobs import Trip
from kvmweb.virt.migration_luggage import Luggage
from kvmweb.virt.xml.moved import moved


def trip(journey: Journey, luggage: Luggage, *, shared: bool) -> Trip:
    """The migration to its target. Raises Conflict when no host can reach that."""
    wish, disks = journey.wish, carrying.as_made(journey)
    begin = ladder.start(wish)
    reached = ways.by_network(journey.target)
    return Trip(
        uuid=journey.guest,
        target_uri=ways.target_uri(journey.target),
        migrate_uri=ways.migrate_uri(journey.target),
        xml=moved(luggage.xml, disks, reached=reached),
        persistent_xml=kept(journey, luggage),
        copied=tuple(disks),
        shared_disks=shared,
        bandwidth_mib_s=begin.bandwidth_mib_s,
        downtime_ms=begin.downtime_ms,
        auto_converge=begin.auto_converge,
        post_copy=begin.post_copy,
        compression=wish.compression,
        parallel=wish.parallel,
        tls=ways.encrypted(journey.source, journey.target)
        and journey.notes.encrypted is not False,
    )


def resuming(journey: Journey, luggage: Luggage) -> Trip:
    """The same once more, to go on with what broke off."""
    return replace(trip(journey, luggage, shared=True), resumes=True, post_copy=True)


def kept(journey: Journey, luggage: Luggage) -> str:
    """The document that its target is to keep; "" for a transient guest."""
    if not luggage.inactive_xml:
        return ""
    reached = ways.by_network(journey.target)
    return moved(luggage.inactive_xml, carrying.as_made(journey), reached=reached)
