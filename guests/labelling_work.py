"""The copies of owner, project and tags that hosts keep, written for many at once."""

from uuid import UUID

from guests.far import far_guest
from guests.models import Guest
from kvmweb.errors import NotFound
from kvmweb.operations.registry import Recovery, work
from kvmweb.operations.run import Run
from kvmweb.virt import metadata


def _again(_run: Run) -> Recovery:
    """Writing the same words once more changes nothing."""
    return Recovery.AGAIN


@work("guest.label-many", recover=_again, cancellable=True)
def label_many(run: Run) -> None:
    """Write copies of owner and tags into the documents of many guests of one host."""
    uuids = [UUID(uuid) for uuid in run.params["guests"]]
    rows = Guest.objects.select_related("owner", "project").in_bulk(uuids)
    written = 0
    for number, uuid in enumerate(uuids):
        run.check_cancelled()
        run.progress(number / len(uuids))
        row = rows.get(uuid)
        if row is None or row.host_id != run.operation.host:
            continue
        try:
            with far_guest(run, uuid) as far:
                far.run(
                    metadata.label,
                    owner=row.owner.username if row.owner else "",
                    project=row.project.name if row.project else "",
                    tags=tuple(row.tags),
                )
        except NotFound:
            continue
        written += 1
    what = "Owner, project and tags"
    run.say(f"{what} of {written} guests were written into their documents, too.")
