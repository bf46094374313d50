"""What a project had in a month: hours, what was taken up, and what it comes to."""

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from kvmweb.accounts.models import AuditEntry, Member, Project, User
from kvmweb.accounts.services import Asker
from portal.flavors.models import Flavor
from portal.ledger import services as ledger
from portal.ledger.amounts import Amounts
from portal.ledger.models import Charge
from portal.requests.models import Request
from portal.showback import services, spans
from portal.showback.models import UseSpan
from portal.showback.services import Prices

GIB = 1024**3
SMALL = Amounts(1, 2, 4 * GIB, 10 * GIB)
LARGE = Amounts(1, 4, 8 * GIB, 10 * GIB)
API = "/api/v1/"
Make = Callable[..., UUID]


def at(day: int, hour: int = 0, *, month: int = 10) -> datetime:
    """A moment of autumn 2026."""
    return datetime(2026, month, day, hour, tzinfo=UTC)


@pytest.fixture
def shop(db: None) -> Project:
    """A project."""
    return Project.objects.create(name="shop")


@pytest.fixture
def viewer(shop: Project, user: User) -> User:
    """Somebody who may look at it."""
    Member.objects.create(project=shop, user=user, role="viewer")
    return user


@pytest.fixture
def span_of(shop: Project) -> Make:
    """Makes spans of the past: `span_of("web", at(1), at(2), price_per_hour=…)`."""

    def make(
        name: str, began_at: datetime, ended_at: datetime | None, **columns: Any
    ) -> UUID:
        size = {"vcpus": 2, "memory_bytes": 4 * GIB, "disk_bytes": 10 * GIB}
        columns = {"project": shop, "guest": uuid4(), **size} | columns
        row = UseSpan.objects.create(
            name=name, began_at=began_at, ended_at=ended_at, **columns
        )
        return row.guest

    return make


def charge(project: Project, guest: UUID, amounts: Amounts = SMALL) -> None:
    """As when a guest was made in it."""
    subject = ledger.of_guest(guest)
    ledger.reserve(project, subject, amounts, "web")
    ledger.settle(subject, subject)


def sizes() -> list[tuple[int, bool]]:
    """The vCPUs of each span, in order, and whether it goes on."""
    rows = UseSpan.objects.order_by("began_at", "pk")
    return [(row.vcpus, row.ended_at is None) for row in rows]


def test_hours_are_those_of_the_month_alone(
    shop: Project, viewer: User, as_user: Client, span_of: Make
) -> None:
    span_of("web", at(29, month=9), at(2), price_per_hour=Decimal("0.05"))
    span_of("db", at(30, 12), at(3, month=11), vcpus=4)
    span_of("old", at(1, month=9), at(1))  # it ended as the month began
    said = as_user.get(f"{API}projects/{shop.pk}/use/?month=2026-10").json()
    assert [(it["name"], it["hours"], it["vcpu_hours"]) for it in said["items"]] == [
        ("db", 36, 144),
        ("web", 24, 48),
    ]
    web = said["items"][1]
    assert (web["memory_gib_hours"], web["disk_gib_hours"]) == (96, 240)
    assert (web["price"], web["unpriced"]) == (1.2, False)
    total = said["total"]
    assert (total["hours"], total["price"], total["unpriced"]) == (60, 1.2, True)
    assert said["until"] == "2026-11-01T00:00:00.000Z"


def test_a_guest_that_was_resized_is_one_line(
    shop: Project, viewer: User, as_user: Client, span_of: Make
) -> None:
    guest = span_of("web", at(1), at(2), flavor="small")
    span_of("web-1", at(2), at(3), guest=guest, vcpus=4, flavor="large")
    (line,) = as_user.get(f"{API}projects/{shop.pk}/use/?month=2026-10").json()["items"]
    assert (line["hours"], line["vcpu_hours"]) == (48, 24 * 2 + 24 * 4)
    assert (line["name"], line["about"], line["id"]) == ("web-1", "large", str(guest))


def test_days_add_up_to_the_month(
    shop: Project, viewer: User, as_user: Client, span_of: Make
) -> None:
    span_of("web", at(29, month=9), at(2, 6), price_per_hour=Decimal("0.1"))
    span_of("db", at(31, 12), at(2, month=11))
    said = as_user.get(f"{API}projects/{shop.pk}/use/days/?range=2026-10").json()
    vcpus, price = said["series"]["vcpu_hours"], said["series"]["price"]
    assert len(said["times"]) == len(vcpus) == 31
    assert (vcpus[0], vcpus[1], vcpus[2], vcpus[30]) == (48, 12, 0, 24)
    assert (price[0], price[1], price[2]) == (2.4, 0.6, None)
    whole = as_user.get(f"{API}projects/{shop.pk}/use/?month=2026-10").json()
    assert sum(vcpus) == whole["total"]["vcpu_hours"]


def test_this_month_counts_up_to_now(
    shop: Project, viewer: User, as_user: Client, span_of: Make
) -> None:
    span_of("web", timezone.now() - timedelta(minutes=30), None)
    month = f"{timezone.now():%Y-%m}"
    before = f"{timezone.now() - timedelta(minutes=30):%Y-%m}"
    (line,) = as_user.get(f"{API}projects/{shop.pk}/use/").json()["items"]
    if month == before:
        assert 0.49 < line["hours"] < 0.55
    said = as_user.get(f"{API}projects/{shop.pk}/use/?month=2099-01").json()
    assert said["total"]["hours"] == 0


def test_a_span_lasts_as_long_as_its_charge(shop: Project) -> None:
    guest = uuid4()
    charge(shop, guest)
    row = UseSpan.objects.get()
    assert (row.project, row.guest, row.vcpus, row.ended_at) == (shop, guest, 2, None)
    assert row.began_at == Charge.objects.get().at
    ledger.change(ledger.of_guest(guest), LARGE)
    assert sizes() == [(2, False), (4, True)]
    first, second = UseSpan.objects.order_by("pk")
    assert first.ended_at == second.began_at
    ledger.release(ledger.of_guest(guest))
    assert sizes() == [(2, False), (4, False)]
    assert spans.follow(timezone.now()) == 0


def test_what_is_only_reserved_costs_nothing(shop: Project) -> None:
    ledger.reserve(shop, "request:5", SMALL, "web")
    assert spans.follow(timezone.now()) == 0
    guest = uuid4()
    ledger.settle("request:5", ledger.of_guest(guest))
    assert UseSpan.objects.get().guest == guest


def test_what_was_undone_was_not_used(shop: Project) -> None:
    with transaction.atomic():
        charge(shop, uuid4())
        assert UseSpan.objects.exists()
        transaction.set_rollback(True)
    assert not UseSpan.objects.exists()


def test_a_guest_given_to_another_project_is_counted_there_from_then_on(
    shop: Project,
) -> None:
    lab, guest = Project.objects.create(name="lab"), uuid4()
    charge(shop, guest)
    ledger.release(ledger.of_guest(guest))
    charge(lab, guest)
    first, second = UseSpan.objects.order_by("pk")
    assert (first.project, second.project) == (shop, lab)
    assert first.ended_at is not None
    assert first.ended_at <= second.began_at
    assert second.ended_at is None


def test_charges_of_before_are_counted_from_when_they_came(shop: Project) -> None:
    Charge.objects.create(
        project=shop,
        subject=f"guest:{uuid4()}",
        label="web",
        state=Charge.State.USED,
        at=at(5),
        **SMALL.told(),
    )
    assert spans.follow(timezone.now()) == 1
    assert UseSpan.objects.get().began_at == at(5)
    assert spans.follow(timezone.now()) == 0  # once is enough


def test_a_charge_that_is_gone_without_a_word_is_counted_no_longer(
    shop: Project,
) -> None:
    charge(shop, uuid4())
    Charge.objects.all().delete()
    assert spans.follow(timezone.now()) == 1
    assert sizes() == [(2, False)]


def test_following_costs_the_same_for_one_and_for_forty(
    shop: Project, django_assert_max_num_queries: Any
) -> None:
    for _ in range(40):
        charge(shop, uuid4())
    with django_assert_max_num_queries(4):  # charges, spans, requests, prices
        spans.follow(timezone.now())


def flavored(shop: Project, price: str | None) -> UUID:
    """A guest of a flavor, as a request made it."""
    flavor = Flavor.objects.create(
        name="small",
        vcpus=2,
        memory_bytes=4 * GIB,
        disk_bytes=10 * GIB,
        price_per_hour=price,
    )
    guest = uuid4()
    Request.objects.create(
        project=shop, name="web", flavor=flavor, guest=guest, state="ready"
    )
    charge(shop, guest)
    return guest


def test_a_flavor_says_what_an_hour_costs(shop: Project) -> None:
    guest = flavored(shop, "0.05")
    row = UseSpan.objects.get()
    assert (row.flavor, row.price_per_hour) == ("small", Decimal("0.05"))
    ledger.change(ledger.of_guest(guest), LARGE)
    row = UseSpan.objects.get(ended_at=None)
    assert (row.flavor, row.price_per_hour) == ("", None)  # it is no small one any more


def test_a_new_price_holds_from_then_on(shop: Project) -> None:
    flavored(shop, "0.05")
    Flavor.objects.update(price_per_hour="0.06")
    assert spans.follow(timezone.now()) == 1
    prices = UseSpan.objects.order_by("pk").values_list("price_per_hour", flat=True)
    assert list(prices) == [Decimal("0.05"), Decimal("0.06")]


def test_what_no_flavor_prices_costs_by_its_size(
    shop: Project, admin: User, as_admin: Client
) -> None:
    charge(shop, uuid4())
    flavored(shop, None)
    body = {"vcpu": 0.01, "memory_gib": 0.005, "disk_gib": None, "currency": "EUR"}
    answer = as_admin.put(f"{API}use/prices/", body, "application/json")
    assert answer.status_code == 200, answer.json()
    open_spans = UseSpan.objects.filter(ended_at=None)
    assert {row.price_per_hour for row in open_spans} == {Decimal("0.04")}
    assert AuditEntry.objects.filter(action="tariff.set", actor=admin.username).exists()
    assert as_admin.get(f"{API}use/prices/").json()["vcpu"] == 0.01


@pytest.mark.parametrize("vcpu", [-1, "much", 10**9, 0.0000001])
def test_what_is_no_price_is_refused(as_admin: Client, vcpu: object) -> None:
    answer = as_admin.put(f"{API}use/prices/", {"vcpu": vcpu}, "application/json")
    assert answer.status_code == 422


def test_prices_are_set_on_the_page(shop: Project, as_admin: Client) -> None:
    charge(shop, uuid4())
    typed = {"vcpu": "0.01", "memory_gib": "", "disk_gib": "", "currency": "EUR"}
    assert as_admin.post("/use/prices/", typed).status_code == 302
    page = as_admin.get("/use/").content.decode()
    assert 'value="0.01"' in page
    assert "EUR" in page
    assert as_admin.post("/use/prices/", {"vcpu": "much"}).status_code == 422


def test_without_any_price_no_money_is_shown(
    shop: Project, viewer: User, as_user: Client, span_of: Make, admin: User
) -> None:
    span_of("web", at(1), at(2))
    services.set_prices(Prices(currency="EUR"), by=Asker(admin))
    page = as_user.get(f"/projects/{shop.pk}/use/?month=2026-10").content.decode()
    assert "web" in page
    assert "EUR" not in page
    assert "Price" not in page


def test_members_see_theirs_and_nobody_else_does(
    shop: Project,
    viewer: User,
    as_user: Client,
    as_admin: Client,
    span_of: Make,
    db: None,
) -> None:
    lab = Project.objects.create(name="lab")
    span_of("web", at(1), at(2))
    span_of("secret", at(1), at(2), project=lab)
    assert as_user.get(f"/projects/{shop.pk}/use/").status_code == 200
    for path in ("projects/{}/use/", "projects/{}/use.csv"):
        foreign, missing = (
            as_user.get("/" + path.format(pk)) for pk in (lab.pk, lab.pk + 1)
        )
        assert foreign.status_code == missing.status_code == 404
    answers = [
        as_user.get(f"{API}projects/{pk}/use/{part}")
        for pk in (lab.pk, lab.pk + 1, 2**70)
        for part in ("", "days/")
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.json()["detail"] for answer in answers}) == 1
    for path in ("/use/", "/use.csv", f"{API}use/", f"{API}use/days/"):
        assert as_user.get(path).status_code == 403, path
    said = as_admin.get(f"{API}use/?month=2026-10").json()
    assert [(it["name"], it["guests"]) for it in said["items"]] == [
        ("lab", 1),
        ("shop", 1),
    ]


def test_the_table_can_be_opened_and_names_are_no_formulas(
    shop: Project, viewer: User, as_user: Client, as_admin: Client, span_of: Make
) -> None:
    span_of("=cmd()", at(1), at(2), price_per_hour=Decimal("0.05"))
    answer = as_user.get(f"/projects/{shop.pk}/use.csv?month=2026-10")
    assert "use-shop-2026-10.csv" in answer["Content-Disposition"]
    (row,) = csv.DictReader(io.StringIO(answer.content.decode()))
    assert (row["name"], row["hours"], row["price"]) == ("'=cmd()", "24.0", "1.2")
    whole = as_admin.get("/use.csv?month=2026-10").content.decode()
    assert [it["name"] for it in csv.DictReader(io.StringIO(whole))] == ["shop"]


@pytest.mark.parametrize("month", ["2026", "2026-13", "1999-01", "2026-10-01", "x"])
def test_what_is_no_month_is_said_to_be_none(
    month: str, shop: Project, viewer: User, as_user: Client
) -> None:
    answer = as_user.get(f"{API}projects/{shop.pk}/use/?month={month}")
    assert answer.status_code == 422
    assert "2026-01" in answer.json()["errors"]["month"][0]
    assert as_user.get(f"/projects/{shop.pk}/use/?month={month}").status_code == 422


def test_a_long_month_costs_as_much_as_a_short_one(
    shop: Project,
    viewer: User,
    as_user: Client,
    as_admin: Client,
    span_of: Make,
    django_assert_max_num_queries: Any,
) -> None:
    for number in range(40):
        span_of(f"g{number}", at(1), at(2))
    # session, person, memberships, project, names, spans, currency
    with django_assert_max_num_queries(7):
        as_user.get(f"/projects/{shop.pk}/use/?month=2026-10")
    with django_assert_max_num_queries(5):  # session, person, spans, currency, prices
        as_admin.get("/use/?month=2026-10")
