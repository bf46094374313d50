"""Whatever is sent to the API, the answer is one it promised: a problem, never a 500."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from kvmweb import health
from kvmweb.accounts.models import User

PROBLEM = {"type", "title", "status", "detail", "code"}


@pytest.fixture
def client(as_admin: Client) -> Client:
    as_admin.raise_request_exception = False
    return as_admin


def _problem(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body.keys() >= PROBLEM
    assert body["status"] == status
    return body


@pytest.mark.parametrize(
    "path",
    ["", "no/such/thing/", "users/99999/", "users/x%00y/", "%ff/", "../admin/", "é/"],
)
def test_what_is_not_there_is_a_problem(client: Client, path: str) -> None:
    answer = client.get(f"/api/v1/{path}")
    assert answer.status_code in (400, 404, 422)
    _problem(answer, answer.status_code)


@pytest.mark.parametrize("number", [10**30, -1, 2**63, "1.5", "9" * 5000])
def test_absurd_numbers_are_not_found_or_not_valid(
    client: Client, number: object
) -> None:
    answer = client.get(f"/api/v1/users/{number}/")
    assert answer.status_code in (404, 422)
    _problem(answer, answer.status_code)


@pytest.mark.parametrize("method", ["put", "trace", "delete", "options", "patch"])
def test_a_wrong_method_is_a_problem_that_names_the_right_ones(
    client: Client, method: str
) -> None:
    answer = getattr(client, method)("/api/v1/users/")
    _problem(answer, 405)
    assert set(answer["Allow"].split(", ")) == {"GET", "POST"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe",
        b'{"username": "a\xff"}',
        b'{"username": NaN}',
        b'{"username": 1e999}',
        b'{"username": "a\\u0000b", "role": "user"}',
        b'{"username": "\\ud800", "role": "user"}',
        b'{"username": 1' + b"0" * 5000 + b"}",
        b"[" * 100_000,
        b'{"username": "x", "is_active": 1000000000000000000000000000000}',
    ],
)
def test_a_body_that_is_no_good_is_not_valid(client: Client, body: bytes) -> None:
    answer = client.post("/api/v1/users/", body, "application/json")
    assert _problem(answer, 422)["detail"]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("tokens/", {"name": "t", "days": True}, "days"),
        ("tokens/", {"name": "t", "project": False}, "project"),
        ("leases/extend/", {"leases": [1, True], "days": 1}, "leases"),
        ("leases/extend/", {"leases": [1], "days": True}, "days"),
        ("projects/", {"name": "x", "quota": {"guests": True}}, "quota.guests"),
        ("projects/", {"name": "x", "members": [{"user": True}]}, "members.0.user"),
        ("projects/", {"name": "x", "scope": {"flavors": [True]}}, "scope.flavors"),
    ],
)
def test_true_and_false_are_no_numbers(
    client: Client, redis_server: str, path: str, body: Any, field: str
) -> None:
    answer = client.post(f"/api/v1/{path}", body, "application/json")
    assert list(_problem(answer, 422)["errors"]) == [field]


@pytest.mark.parametrize("days", [5, 5.0, "5"])
def test_a_whole_number_may_be_said_in_other_ways(client: Client, days: object) -> None:
    body = {"name": "t", "days": days}
    assert client.post("/api/v1/tokens/", body, "application/json").status_code == 201


@pytest.mark.parametrize("path", ["users/{}/", "tokens/{}/", "users/{}/tokens/"])
@pytest.mark.parametrize("number", ["1.0", "+1", "%201", "1_0", 10**30, "9" * 5000])
def test_a_number_in_an_address_is_written_in_one_way(
    client: Client, path: str, number: object
) -> None:
    _problem(client.get(f"/api/v1/{path.format(number)}"), 404)


def test_sessions_are_of_somebody_whose_number_is_whole(client: Client) -> None:
    for ask in (client.get, client.delete):
        _problem(ask("/api/v1/users/1.0/sessions/"), 404)


def test_a_body_that_is_too_large_is_a_problem(client: Client) -> None:
    body = b'{"name": "' + b"x" * 2_000_000 + b'"}'
    _problem(client.post("/api/v1/users/", body, "application/json"), 413)


@pytest.mark.parametrize("query", ["search=%00", "search=a%00b", "%00=1"])
def test_a_nul_in_a_question_is_refused(client: Client, query: str) -> None:
    _problem(client.get(f"/api/v1/users/?{query}"), 422)
    assert client.get(f"/users/?{query}").status_code == 422


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=501", "limit=x", "offset=-1", f"offset={10**40}", "ordering=pk"],
)
def test_a_page_that_cannot_be_names_the_field(client: Client, query: str) -> None:
    problem = _problem(client.get(f"/api/v1/users/?{query}"), 422)
    assert list(problem["errors"]) == [query.split("=", maxsplit=1)[0]]


def test_a_change_from_another_site_is_refused(admin: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(admin)
    body = {"name": "stolen"}
    _problem(browser.post("/api/v1/tokens/", body, "application/json"), 403)
    browser.get("/account/")
    sent = {"X-CSRFToken": browser.cookies["csrftoken"].value}
    own = browser.post("/api/v1/tokens/", body, "application/json", headers=sent)
    assert own.status_code == 201
    for hostile in ({"Origin": "https://evil.example"}, {"Origin": "null"}):
        answer = browser.post(
            "/api/v1/tokens/", body, "application/json", headers=sent | hostile
        )
        _problem(answer, 403)


def test_nobody_known_is_told_so(anonymous: Client) -> None:
    answer = anonymous.get("/api/v1/users/")
    _problem(answer, 401)
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_who_may_not_is_told_before_the_body_is_read(as_user: Client) -> None:
    _problem(as_user.post("/api/v1/users/", b"{", "application/json"), 403)


def test_a_mistake_of_ours_shows_none_of_its_insides(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the secret insides")

    monkeypatch.setattr("kvmweb.accounts.access.person", broken)
    problem = _problem(client.get("/api/v1/users/1/"), 500)
    assert "insides" not in str(problem)
    page = client.get("/users/1/edit/")
    assert page.status_code == 500
    assert "insides" not in page.content.decode()


def test_a_database_that_is_away_is_said_so(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr("kvmweb.accounts.access.person", away)
    _problem(client.get("/api/v1/users/1/"), 503)


def test_an_address_without_its_slash_is_not_asked_again_as_another(
    client: Client,
) -> None:
    assert client.get("/api/v1/users")["Location"] == "/api/v1/users/"
    answer = client.post("/api/v1/users", b"{}", "application/json")
    assert "slash" in _problem(answer, 404)["detail"]


def test_static_files_come_in_one_piece(anonymous: Client) -> None:
    answer = anonymous.get("/static/ninja/swagger-ui.css")
    assert answer.status_code == 200
    assert not answer.streaming
    assert len(answer.content) == int(answer["Content-Length"])
    assert "max-age" in answer["Cache-Control"]
    unchanged = anonymous.get(
        "/static/ninja/swagger-ui.css",
        HTTP_IF_NONE_MATCH=answer.get("ETag", ""),
        HTTP_IF_MODIFIED_SINCE=answer["Last-Modified"],
    )
    assert unchanged.status_code == 304


def test_pages_answer_with_pages(client: Client, as_user: Client) -> None:
    missing = client.get("/no/such/page/")
    assert missing.status_code == 404
    assert "There is nothing at this address." in missing.content.decode()
    refused = as_user.get("/users/")
    assert refused.status_code == 403
    assert refused["Content-Type"].startswith("text/html")


def test_every_answer_has_a_strict_policy(client: Client) -> None:
    for path in ("/healthz", "/api/v1/me/", "/api/v1/docs", "/users/", "/nothing/"):
        policy = client.get(path)["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy


def test_the_docs_have_nothing_inline(anonymous: Client) -> None:
    page = anonymous.get("/api/v1/docs").content.decode()
    for script in page.split("<script")[1:]:
        tag, _, rest = script.partition(">")
        assert "src=" in tag or 'type="application/json"' in tag
        assert "src=" not in tag or rest.startswith("</script>")
    assert "<style" not in page


def test_the_description_names_errors_and_ways_in(anonymous: Client) -> None:
    schema = anonymous.get("/api/v1/openapi.json").json()
    ways = schema["components"]["securitySchemes"]
    assert {way["type"] for way in ways.values()} == {"http", "apiKey"}
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            assert {"401", "403", "422"} <= operation["responses"].keys(), path
            assert ("404" in operation["responses"]) or "{" not in path
            assert ("409" in operation["responses"]) or method == "get"


def test_a_repeated_post_gets_the_same_answer(
    admin_token: str, by_token: Callable[[str], Client]
) -> None:
    body = {"username": "ben", "role": "user"}
    client, key = by_token(admin_token), {"Idempotency-Key": "one"}
    answers = [
        client.post("/api/v1/users/", body, "application/json", headers=key)
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert User.objects.filter(username="ben").count() == 1


def test_health_is_one_of_the_doors_of_the_house(anonymous: Client) -> None:
    assert anonymous.get("/healthz").content == b"ok\n"
    assert health.healthz.right == "public"  # type: ignore[attr-defined]
