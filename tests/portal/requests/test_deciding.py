"""Approve, approve less, reject, several at once: what comes of it, and who may."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from guests.creation.plan import plan_of
from guests.images.models import Seed
from hosts.models import Host
from kvmweb.accounts.models import AuditEntry, Project, User
from kvmweb.operations.ending import End, end
from kvmweb.operations.models import Operation
from kvmweb.operations.performing import perform
from kvmweb.operations.queue import Claim
from kvmweb.operations.run import Run
from portal.ledger.models import Charge
from portal.requests import plugs
from portal.requests.models import Request
from portal.telling.models import Notice
from tests.portal.requests.conftest import GIB, KEY, Api

pytestmark = pytest.mark.usefixtures("kvm1", "small", "large")
Apis = Callable[[User], Api]
State = Operation.State


class Keeper:
    """Keeps leases, for a test."""

    def __init__(self) -> None:
        self.begun: list[tuple[UUID, int]] = []

    def begin(self, guest: UUID, project: Project, days: int) -> None:
        self.begun.append((guest, days))

    def extend(self, guest: UUID, days: int, by: User | None) -> None:
        self.begun.append((guest, days))


@pytest.fixture
def keeper(monkeypatch: pytest.MonkeyPatch) -> Keeper:
    """Who keeps leases."""
    found = Keeper()
    monkeypatch.setattr(plugs, "_keepers", [found])
    return found


def ended(operation: str, state: State, code: str = "") -> None:
    """The operation ends so."""
    row = Operation.objects.filter(pk=operation)
    assert end(row, End(state, "kvm1: it ended so.", code)) is not None


def test_a_yes_is_an_operation_with_room_promised(
    api: Apis, mia: User, otto: User, kvm1: Host
) -> None:
    pk = api(mia).ask(cloud_init={"ssh_keys": [KEY]}).json()["id"]
    answer = api(otto).post(f"{pk}/approve/", note="Go on.")
    assert answer.status_code == 200, answer.content
    told = answer.json()
    assert (told["state"], told["decided_by"]) == ("provisioning", "otto")
    assert told["decision_note"] == "Go on."
    operation = Operation.objects.get(pk=told["operation"])
    assert (operation.kind, operation.requested_by) == ("guest.create", mia)
    assert (operation.host, str(operation.guest)) == (kvm1.pk, told["guest"])
    blueprint = plan_of(operation.params["plan"]).blueprint
    assert (blueprint.owner, blueprint.project) == ("mia", "web")
    assert (blueprint.vcpus, blueprint.memory_bytes) == (1, GIB)
    assert operation.params["promise"]["memory_bytes"] == GIB
    assert Seed.objects.get().guest == operation.guest
    assert Charge.objects.get().subject == f"request:{pk}"
    for person in (mia, otto):
        path = f"/api/v1/operations/{told['operation']}/"
        seen = api(person).client.get(path)
        assert seen.status_code == 200, person
        assert seen.json()["host_name"] == ""


def test_it_is_ready_when_its_machine_is_there(
    api: Apis, mia: User, otto: User, keeper: Keeper
) -> None:
    pk = api(mia).ask(cloud_init={"ssh_keys": [KEY]}).json()["id"]
    told = api(otto).post(f"{pk}/approve/").json()
    ended(told["operation"], State.SUCCEEDED)
    operation = Operation.objects.get()
    assert api(mia).get(f"{pk}/").json()["state"] == "ready"
    charge = Charge.objects.get()
    assert (charge.subject, charge.state) == (f"guest:{operation.guest}", "used")
    assert keeper.begun == [(operation.guest, 30)]
    assert Request.objects.get().sealed == ""
    events = api(mia).get(f"{pk}/").json()["events"]
    assert [it["what"] for it in events] == [
        "asked",
        "approved",
        "provisioning",
        "ready",
    ]
    told_of = Notice.objects.filter(user=mia).order_by("pk")
    assert [it.event for it in told_of] == ["request.approved", "request.ready"]
    assert AuditEntry.objects.filter(action="request.approve", actor="otto").exists()


def test_a_failure_gives_the_quota_back_and_can_be_tried_again(
    api: Apis, mia: User, otto: User
) -> None:
    pk = api(mia).ask().json()["id"]
    first = api(otto).post(f"{pk}/approve/").json()["operation"]
    ended(first, State.FAILED, "host_unreachable")
    told = api(mia).get(f"{pk}/").json()
    assert told["state"] == "failed"
    assert "nobody answered" in told["failure"]
    assert "kvm1" not in str(told)
    assert not Charge.objects.exists()
    for person in (mia, otto):
        assert Notice.objects.filter(user=person, event="request.failed").exists()
    again = api(mia).post(f"{pk}/retry/")
    assert again.status_code == 200, again.content
    assert again.json()["state"] == "provisioning"
    assert again.json()["operation"] != first
    assert Charge.objects.get().subject == f"request:{pk}"
    ended(again.json()["operation"], State.CANCELLED, "cancelled")
    assert api(mia).get(f"{pk}/").json()["state"] == "failed"
    assert not Charge.objects.exists()
    assert api(otto).post(f"{pk}/retry/").status_code == 200
    assert api(otto).post(f"{pk}/retry/").status_code == 409


def test_trying_again_is_charged_again(api: Apis, mia: User, otto: User) -> None:
    pk = api(mia).ask(flavor="large").json()["id"]
    ended(api(otto).post(f"{pk}/approve/").json()["operation"], State.FAILED)
    assert api(mia).ask(name="b").status_code == 201
    answer = api(mia).post(f"{pk}/retry/")
    assert answer.status_code == 409
    assert "left" in answer.json()["detail"]
    assert Request.objects.get(pk=pk).state == "failed"


def test_a_no_says_why_and_gives_the_quota_back(
    api: Apis, mia: User, otto: User
) -> None:
    pk = api(mia).ask().json()["id"]
    answer = api(otto).post(f"{pk}/reject/", note="Use the old one.")
    assert (answer.status_code, answer.json()["state"]) == (200, "rejected")
    assert api(mia).get(f"{pk}/").json()["decision_note"] == "Use the old one."
    assert not Charge.objects.exists()
    assert Notice.objects.get(user=mia).event == "request.rejected"


def test_what_is_decided_is_decided(api: Apis, mia: User, otto: User) -> None:
    pk = api(mia).ask().json()["id"]
    assert api(otto).post(f"{pk}/approve/").status_code == 200
    for path in ("approve/", "reject/"):
        answer = api(otto).post(f"{pk}/{path}")
        assert answer.status_code == 409
        assert "already" in answer.json()["detail"]
    assert Operation.objects.count() == 1


def test_less_can_be_given_than_was_asked_for(api: Apis, mia: User, otto: User) -> None:
    pk = api(mia).ask(flavor="large", lease_days=90).json()["id"]
    for more in ({"vcpus": 5}, {"memory_bytes": 9 * GIB}, {"lease_days": 91}):
        assert api(otto).post(f"{pk}/approve/", **more).status_code == 422
    answer = api(otto).post(f"{pk}/approve/", memory_bytes=2 * GIB, lease_days=7)
    assert answer.status_code == 200, answer.content
    told = answer.json()
    assert (told["vcpus"], told["memory_bytes"], told["lease_days"]) == (4, 2 * GIB, 7)
    assert told["asked"] == {"memory_bytes": 8 * GIB, "lease_days": 90}
    plan = plan_of(Operation.objects.get().params["plan"])
    assert plan.blueprint.memory_bytes == 2 * GIB
    assert Charge.objects.get().memory_bytes == 2 * GIB


def test_a_smaller_flavor_can_be_given(api: Apis, mia: User, otto: User) -> None:
    pk = api(mia).ask(flavor="large").json()["id"]
    told = api(otto).post(f"{pk}/approve/", flavor="small").json()
    assert (told["flavor_name"], told["vcpus"]) == ("small", 1)


def test_nobody_approves_their_own(
    api: Apis, otto: User, admin: User, operator: User
) -> None:
    for number, person in enumerate((otto, admin, operator)):
        pk = api(person).ask(name=f"m{number}").json()["id"]
        answer = api(person).post(f"{pk}/approve/")
        assert answer.status_code == 403, person
        assert "own request" in answer.json()["detail"]
    assert not Operation.objects.exists()


def test_who_asked_decides_nothing(api: Apis, mia: User) -> None:
    pk = api(mia).ask().json()["id"]
    assert api(mia).post(f"{pk}/approve/").status_code == 403
    assert api(mia).post(f"{pk}/reject/").status_code == 403


def test_what_fits_nowhere_goes_on_waiting(
    api: Apis, mia: User, otto: User, operator: User, kvm1: Host
) -> None:
    pk = api(mia).ask().json()["id"]
    Host.objects.update(maintenance=True)
    answer = api(otto).post(f"{pk}/approve/")
    assert answer.status_code == 409
    assert "no room" in answer.json()["detail"]
    assert "kvm1" not in answer.content.decode()
    answer = api(operator).post(f"{pk}/approve/")
    assert "kvm1: It is in maintenance." in answer.json()["detail"]
    assert Request.objects.get().state == "pending"
    assert Charge.objects.count() == 1
    looked = api(otto).get(f"{pk}/outlook/").json()
    assert (looked["fits"], looked["others"]) == (False, {})
    assert "kvm1" not in str(looked)
    Host.objects.update(maintenance=False)
    looked = api(operator).get(f"{pk}/outlook/").json()
    assert (looked["fits"], looked["host_name"]) == (True, "kvm1")
    assert looked["memory_left_bytes"] == 31 * GIB


def test_several_are_decided_each_for_itself(api: Apis, mia: User, otto: User) -> None:
    ids = [api(mia).ask(name=f"m{n}").json()["id"] for n in range(2)]
    own = api(otto).ask(name="own").json()["id"]
    body: dict[str, Any] = {"ids": [*ids, own], "decision": "approve", "note": "All."}
    answer = api(otto).post("decide/", **body)
    assert answer.status_code == 200, answer.content
    told = answer.json()["items"]
    assert [it["state"] for it in told] == ["provisioning", "provisioning", "pending"]
    assert [bool(it["error"]) for it in told] == [False, False, True]
    assert Operation.objects.count() == 2


def test_whoever_may_not_sign_in_gets_nothing(api: Apis, mia: User, otto: User) -> None:
    pk = api(mia).ask().json()["id"]
    later = api(mia).ask(name="later").json()["id"]
    operation = api(otto).post(f"{pk}/approve/").json()["operation"]
    User.objects.filter(pk=mia.pk).update(is_active=False)
    answer = api(otto).post(f"{later}/approve/")
    assert answer.status_code == 409
    assert "mia" in answer.json()["detail"]
    User.objects.filter(pk=mia.pk).update(is_active=True)
    mia.memberships.all().delete()
    assert "is not in web any more" in str(api(otto).post(f"{later}/approve/").json())
    User.objects.filter(pk=mia.pk).update(is_active=False)
    Operation.objects.filter(pk=operation).update(state="running", worker="w")
    row = Operation.objects.get(pk=operation)
    run = Run(Claim(row, "w", 1, taken_over=False))
    with pytest.raises(Exception, match="may not sign in any more"):
        perform(run)
    ended(operation, State.FAILED, "forbidden")
    assert Request.objects.get(pk=pk).state == "failed"


def test_a_foreign_an_invented_and_a_deleted_request_read_the_same(
    api: Apis, mia: User, eve: User, person: Callable[..., User], web: Project
) -> None:
    pk = api(mia).ask().json()["id"]
    strangers = (eve, person("nina"), person("omar", web), person("vic", web, "viewer"))
    for stranger in strangers:
        for number in (pk, pk + 1000, 0):
            one = api(stranger)
            answers = [
                one.get(f"{number}/"),
                one.get(f"{number}/outlook/"),
                one.patch(f"{number}/", lease_days=3),
                *(
                    one.post(f"{number}/{verb}/")
                    for verb in ("approve", "reject", "cancel", "retry")
                ),
                one.post("decide/", ids=[number], decision="approve"),
            ]
            assert {it.status_code for it in answers} == {404}, (stranger, number)
            details = {it.json()["detail"] for it in answers}
            assert details == {"There is no such request."}
        assert api(stranger).get().json() == {"items": [], "count": 0}
    for project in ("web", "nothing", 99999):
        answer = api(eve).ask(project=project)
        assert answer.status_code == 404
        assert answer.json()["detail"] == "There is no such project."
    assert Request.objects.get().state == "pending"


def test_a_token_for_one_project_reaches_no_other(
    api: Apis,
    mia: User,
    other: Project,
    token_of: Callable[..., str],
    by_token: Callable[[str], Any],
    admin: User,
) -> None:
    pk = api(mia).ask().json()["id"]
    web = Project.objects.get(name="web")
    inside = by_token(token_of(admin, project=web))
    outside = by_token(token_of(admin, project=other))
    approve, kind = f"/api/v1/requests/{pk}/approve/", "application/json"
    assert inside.get(f"/api/v1/requests/{pk}/").status_code == 200
    assert outside.get(f"/api/v1/requests/{pk}/").status_code == 404
    assert outside.post(approve, "", content_type=kind).status_code == 404
    assert outside.get("/api/v1/requests/").json()["count"] == 0
    assert inside.post(approve, "", content_type=kind).status_code == 200
