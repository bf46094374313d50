"""The API of requests: ask, change, take back, decide, try again; and the rules."""

from typing import Any

from django.http import HttpResponse
from ninja import Query, Router
from ninja.responses import Status

from kvmweb import doors
from kvmweb.accounts.gate import Right, door, sees_all
from kvmweb.accounts.models import Project
from kvmweb.accounts.requests import UserRequest
from kvmweb.accounts.services import Asker
from kvmweb.errors import Conflict, Invalid
from portal.requests import access, deciding, looking, queries, rules, services
from portal.requests.json import events_json, request_json
from portal.requests.models import ApprovalRule, Request
from portal.requests.rules import RuleWish
from portal.requests.schemas import (
    ApprovalRuleIn,
    ApprovalRuleOut,
    ApproveIn,
    CheckOut,
    DecideIn,
    NoteIn,
    OutcomesOut,
    OutlookOut,
    RequestIn,
    RequestOut,
    RequestPatch,
    RequestQuery,
    RequestWhole,
    outcome_json,
    outlook_json,
    rule_json,
)

router = Router(tags=["requests"])


@router.get("", response=doors.Page[RequestOut], url_name="requests")
@door(Right.REQUEST)
def listing(request: UserRequest, query: Query[RequestQuery]) -> dict[str, Any]:
    """One's own requests, and those one decides about; pending ones first."""
    filters = queries.Filters(
        state=query.state or "",
        project=query.project,
        mine=query.mine,
        search=query.search,
    )
    rows = queries.listing(request.user, filters)
    page = doors.paged(rows, query, ordering=queries.ORDERINGS)
    return page | {"items": [request_json(each) for each in page["items"]]}


@router.post("", response={201: RequestOut}, url_name="requests")
@door(Right.REQUEST)
def ask(request: UserRequest, body: RequestIn) -> Status[dict[str, Any]]:
    """Ask for a machine: its quota is charged at once, 409 says what is used and left."""
    project = access.project(request.user, str(body.project))
    row = services.ask(body.wish(), project, by=_asker(request))
    return Status(201, request_json(row))


@router.post("check/", response=CheckOut, url_name="request-check")
@door(Right.REQUEST)
def check(request: UserRequest, body: RequestIn) -> dict[str, Any]:
    """What would happen if one asked for this now; nothing is stored."""
    project = access.project(request.user, str(body.project))
    found = services.check(body.wish(), project, request.user)
    return {
        "approved_by_itself": found.rule is not None,
        "rule": found.rule.name if found.rule else "",
        "quota_error": found.quota_error,
        "left": found.left,
    }


@router.post("decide/", response=OutcomesOut, url_name="request-decide")
@door(Right.REQUEST)
def decide(request: UserRequest, body: DecideIn) -> dict[str, Any]:
    """Decide about several, each for itself: one that cannot be stops no other."""
    rows = [access.to_decide(request.user, pk) for pk in dict.fromkeys(body.ids)]
    outcomes = deciding.decide(rows, body.decision, by=_asker(request), note=body.note)
    return {"items": [outcome_json(each) for each in outcomes]}


@router.get("rules/", response=list[ApprovalRuleOut], url_name="request-rules")
@door(Right.MANAGE_PROJECTS)
def list_rules(request: UserRequest) -> list[dict[str, Any]]:
    """When nobody is asked, in the order in which they are tried."""
    rows = ApprovalRule.objects.prefetch_related("flavors")
    return [rule_json(each) for each in rows]


@router.post("rules/", response={201: ApprovalRuleOut}, url_name="request-rules")
@door(Right.MANAGE_PROJECTS)
def add_rule(request: UserRequest, body: ApprovalRuleIn) -> Status[dict[str, Any]]:
    """Say when nobody is asked."""
    rule = rules.add(_rule_wish(body), by=_asker(request))
    return Status(201, rule_json(rule))


@router.put(
    "rules/{int:approval_id}/", response=ApprovalRuleOut, url_name="request-rule"
)
@door(Right.MANAGE_PROJECTS)
def edit_rule(
    request: UserRequest, approval_id: int, body: ApprovalRuleIn
) -> dict[str, Any]:
    """Another wording of it; what it approved before stays approved."""
    rule = access.rule(request.user, approval_id)
    return rule_json(rules.edit(rule, _rule_wish(body), by=_asker(request)))


@router.delete(
    "rules/{int:approval_id}/", response={204: None}, url_name="request-rule"
)
@door(Right.MANAGE_PROJECTS)
def remove_rule(request: UserRequest, approval_id: int) -> Status[None]:
    """It approves nothing any more."""
    rules.remove(access.rule(request.user, approval_id), by=_asker(request))
    return Status(204, None)


@router.get("{int:request_id}/", response=RequestWhole, url_name="request")
@door(Right.REQUEST)
def detail(request: UserRequest, request_id: int) -> dict[str, Any]:
    """One request, with all that befell it."""
    row = access.request(request.user, request_id)
    return request_json(row) | {"events": events_json(queries.events(row))}


@router.patch("{int:request_id}/", response=RequestOut, url_name="request")
@door(Right.REQUEST)
def change(request: UserRequest, request_id: int, body: RequestPatch) -> dict[str, Any]:
    """Ask for something else instead, while nobody has decided."""
    row = access.to_change(request.user, request_id)
    wish = body.wish(services.wish_of(row))
    return request_json(services.change(row, wish, by=_asker(request)))


@router.post("{int:request_id}/cancel/", response=RequestOut, url_name="request-cancel")
@door(Right.REQUEST)
def cancel(request: UserRequest, request_id: int) -> dict[str, Any]:
    """Take it back, while nobody has decided; its quota is free again."""
    row = access.to_change(request.user, request_id)
    return request_json(services.cancel(row, by=_asker(request)))


@router.post(
    "{int:request_id}/approve/", response=RequestOut, url_name="request-approve"
)
@door(Right.REQUEST)
def approve(
    request: UserRequest,
    response: HttpResponse,
    request_id: int,
    body: ApproveIn | None = None,
) -> dict[str, Any]:
    """Say yes, perhaps to less: its operation is submitted; Location leads to it."""
    said = body or ApproveIn.model_validate({})
    row = deciding.approve(
        access.to_decide(request.user, request_id),
        by=_asker(request),
        note=said.note,
        smaller=said.smaller(),
    )
    return _with_operation(row, response)


@router.post("{int:request_id}/reject/", response=RequestOut, url_name="request-reject")
@door(Right.REQUEST)
def reject(
    request: UserRequest, request_id: int, body: NoteIn | None = None
) -> dict[str, Any]:
    """Say no; its quota is free again."""
    row = access.to_decide(request.user, request_id)
    note = body.note if body else ""
    return request_json(deciding.reject(row, by=_asker(request), note=note))


@router.post("{int:request_id}/retry/", response=RequestOut, url_name="request-retry")
@door(Right.REQUEST)
def retry(
    request: UserRequest, response: HttpResponse, request_id: int
) -> dict[str, Any]:
    """Try once more what was approved and failed; it is charged again."""
    row = access.to_retry(request.user, request_id)
    return _with_operation(deciding.retry(row, by=_asker(request)), response)


@router.get(
    "{int:request_id}/outlook/", response=OutlookOut, url_name="request-outlook"
)
@door(Right.REQUEST)
def outlook(request: UserRequest, request_id: int) -> dict[str, Any]:
    """Would it fit, where, and after that? From rows; nothing is asked of a host."""
    row: Request = access.to_decide(request.user, request_id)
    found = looking.look(row)
    if found is None:
        raise Conflict(f"The request for {row.name} makes no machine.")
    return outlook_json(found, hosts=sees_all(request.user))


def _with_operation(row: Request, response: HttpResponse) -> dict[str, Any]:
    if row.operation is not None:
        response.headers["Location"] = f"/api/v1/operations/{row.operation}/"
    return request_json(row)


def _rule_wish(body: ApprovalRuleIn) -> RuleWish:
    told = body.model_dump(exclude={"project", "kinds", "flavors"})
    project = None
    if body.project is not None:
        project = Project.objects.filter(pk=body.project).first()
        if project is None:
            sentence = "There is no such project."
            raise Invalid(sentence, errors={"project": [sentence]})
    return RuleWish(
        project=project, kinds=tuple(body.kinds), flavors=tuple(body.flavors), **told
    )


def _asker(request: UserRequest) -> Asker:
    return Asker(request.user, request.client_address)
