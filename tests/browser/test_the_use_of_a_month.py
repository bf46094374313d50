"""What a project had is drawn: one bar for each day of the month, the last one, too."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from deploy.product import Product

PAST = """
from datetime import UTC, datetime
from uuid import uuid4
from kvmweb.accounts.models import Project
from portal.showback.models import UseSpan
project = Project.objects.get(name="drawn")
for began, ended in (((10, 2), (10, 5)), ((10, 30), (11, 1))):
    UseSpan.objects.create(project=project, guest=uuid4(), name="web", vcpus=2,
        memory_bytes=2**30, disk_bytes=2**30,
        began_at=datetime(2025, *began, tzinfo=UTC),
        ended_at=datetime(2025, *ended, tzinfo=UTC))
"""
BARS = """canvas => {
  const { width, height } = canvas;
  const seen = canvas.getContext("2d").getImageData(0, 0, width, height).data;
  const isBlue = (x, y) => {
    const at = 4 * (y * width + x);
    return seen[at + 3] > 200 && seen[at + 2] > seen[at] + 60;
  };
  const bars = (y) => {
    let found = 0;
    for (let x = 1; x < width; x += 1) found += isBlue(x, y) && !isBlue(x - 1, y);
    return found;
  };
  return Math.max(...Array.from({ length: height }, (_, y) => bars(y)));
}"""


@pytest.fixture(scope="module")
def project(product: Product) -> int:
    """A project that had something on five days of a month, the last two among them."""
    said = product.call("POST", "projects/", {"name": "drawn", "quota": {}})
    assert said.status == 201, said.body
    product.manage("shell", "-c", PAST)
    return int(said.body["id"])


@pytest.mark.parametrize("zone", ["UTC", "America/Los_Angeles"])
def test_each_day_has_its_bar(
    open_page: Callable[..., Page], product: Product, project: int, zone: str
) -> None:
    page = open_page(f"/projects/{project}/use/?month=2025-10", timezone_id=zone)
    chart = page.get_by_role("region", name="vCPU hours a day")
    expect(chart.get_by_role("img")).to_have_attribute(
        "aria-label", "vCPU hours: least 0, most 48, last 48."
    )
    canvas = chart.locator("canvas")
    assert canvas.evaluate(BARS) == 5
    box = canvas.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] - 30, box["y"] + 50)
    expect(chart.get_by_text("10-31 48")).to_be_visible()
