"""The API of use: what projects had in a month, day by day, and what hours cost."""

from typing import Any

from ninja import Router

from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.accounts.services import Asker
from portal.projects import access
from portal.showback import queries, services
from portal.showback.forms import month_of
from portal.showback.services import Prices
from portal.showback.shapes import (
    DaysOut,
    TariffIn,
    TariffOut,
    UseOut,
    days_json,
    tariff_json,
    use_json,
)

router = Router(tags=["use"])
_PROJECT = "projects/{int:project_id}/use/"


@router.get(_PROJECT, response=UseOut, url_name="project-use")
@door(Right.SEE)
def of_project(
    request: UserRequest, project_id: int, month: str = ""
) -> dict[str, Any]:
    """What a project's guests had in a month (2026-11; without one in this)."""
    project = access.project(request.user, project_id, Right.SEE)
    return use_json(queries.of_project(project, month_of(month)))


@router.get(f"{_PROJECT}days/", response=DaysOut, url_name="project-use-days")
@door(Right.SEE)
def days_of_project(
    request: UserRequest, project_id: int, range: str = ""
) -> dict[str, Any]:
    """The same day by day; `range` is the month."""
    project = access.project(request.user, project_id, Right.SEE)
    return days_json(queries.days(month_of(range), project))


@router.get("use/", response=UseOut, url_name="use")
@door(Right.MANAGE_PROJECTS)
def of_all(request: UserRequest, month: str = "") -> dict[str, Any]:
    """What every project had in a month."""
    return use_json(queries.of_all(month_of(month)))


@router.get("use/days/", response=DaysOut, url_name="use-days")
@door(Right.MANAGE_PROJECTS)
def days_of_all(request: UserRequest, range: str = "") -> dict[str, Any]:
    """The same day by day; `range` is the month."""
    return days_json(queries.days(month_of(range)))


@router.get("use/prices/", response=TariffOut, url_name="use-prices")
@door(Right.MANAGE_PROJECTS)
def prices(request: UserRequest) -> dict[str, Any]:
    """What an hour costs where no flavor says so."""
    return tariff_json(queries.tariff())


@router.put("use/prices/", response=TariffOut, url_name="use-prices")
@door(Right.MANAGE_PROJECTS)
def set_prices(request: UserRequest, body: TariffIn) -> dict[str, Any]:
    """What it costs from now on; what is past keeps its price."""
    asker = Asker(request.user, request.client_address)
    wanted = Prices(body.vcpu, body.memory_gib, body.disk_gib, body.currency)
    return tariff_json(services.set_prices(wanted, by=asker))
