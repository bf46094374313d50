"""What would happen, as the API says it."""

from typing import Any

from guests.creation.services import Preview


def preview_json(preview: Preview) -> dict[str, Any]:
    """The whole of it; other hosts as they stood for the first guest."""
    first = preview.planned[0]
    return {
        "guests": [
            {
                "name": each.plan.blueprint.name,
                "host": each.plan.host,
                "host_name": each.plan.host_name,
                "why": list(each.choice.why),
            }
            for each in preview.planned
        ],
        "others": [
            {"host_name": name, "reasons": list(reasons)}
            for name, reasons in first.choice.others.items()
        ],
        "volumes": [
            {
                "guest": each.plan.blueprint.name,
                "pool": volume.pool,
                "pool_name": volume.pool_name,
                "name": volume.name,
                "path": volume.path,
                "format": volume.format,
                "capacity_bytes": volume.capacity_bytes,
                "image": volume.image,
            }
            for each in preview.planned
            for volume in each.plan.volumes
        ],
        "warnings": list(preview.warnings),
        "xml": preview.xml or None,
    }
