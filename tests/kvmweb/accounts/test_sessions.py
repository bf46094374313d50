"""Sessions: seen in a list, ended one by one or all others."""

from datetime import timedelta

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from kvmweb.accounts.models import AuditEntry, User
from kvmweb.accounts.sessions.models import Visit
from tests.conftest import PASSWORD

PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/17.0 Mobile/15E148 Safari/604.1"
)
LINUX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def _signed_in(agent: str, address: str, username: str = "uwe") -> Client:
    client = Client(headers={"User-Agent": agent}, REMOTE_ADDR=address)
    typed = {"username": username, "password": PASSWORD}
    assert client.post("/login/", typed).status_code == 302
    return client


def _known(client: Client) -> bool:
    return client.get("/api/v1/me/").status_code == 200


def test_they_are_listed_with_device_and_address_and_without_their_keys(
    user: User, operator: User
) -> None:
    here = _signed_in(LINUX, "192.0.2.7")
    _signed_in(LINUX, "198.51.100.1", "olga")
    with CaptureQueriesContext(connection) as before:
        here.get("/account/sessions/")
    for _ in range(3):
        _signed_in(PHONE, "2001:db8::9")
    with CaptureQueriesContext(connection) as after:
        text = here.get("/account/sessions/").content.decode()
    assert len(after) == len(before) <= 5  # session, user, sessions, and the frame's
    for said in ("Firefox on Linux", "192.0.2.7", "Safari on iPhone", "2001:db8::9"):
        assert said in text
    assert "198.51.100.1" not in text
    assert text.count("this one") == 1
    for visit in Visit.objects.all():
        assert visit.session_key not in text


def test_one_is_ended_and_the_others_go_on(user: User) -> None:
    here, phone, other = (_signed_in(it, "192.0.2.7") for it in (LINUX, PHONE, LINUX))
    handle = Visit.objects.get(device="Safari on iPhone").handle
    assert here.post(f"/account/sessions/{handle}/end/").status_code == 302
    assert [_known(it) for it in (here, phone, other)] == [True, False, True]
    entry = AuditEntry.objects.get(action="session.end")
    assert (entry.actor, entry.details["device"]) == ("uwe", "Safari on iPhone")


def test_all_others_are_ended_at_once_and_only_ones_own(
    user: User, operator: User
) -> None:
    here, phone = _signed_in(LINUX, "192.0.2.7"), _signed_in(PHONE, "192.0.2.8")
    olga = _signed_in(LINUX, "192.0.2.9", "olga")
    assert here.post("/account/sessions/others/end/").status_code == 302
    assert [_known(it) for it in (here, phone, olga)] == [True, False, True]


def test_ending_this_one_is_signing_out(user: User) -> None:
    here = _signed_in(LINUX, "192.0.2.7")
    handle = Visit.objects.get().handle
    assert here.post(f"/account/sessions/{handle}/end/")["Location"] == "/login/"
    assert not _known(here)


def test_somebody_elses_reads_like_one_that_never_was(
    user: User, operator: User, as_operator: Client
) -> None:
    here = _signed_in(LINUX, "192.0.2.7")
    handle = Visit.objects.get(user=user).handle
    invented = "0b5a7c7e-4b6c-4c8e-9a53-0c6d6f1d2a11"
    answers = [
        as_operator.post(f"/account/sessions/{it}/end/") for it in (handle, invented)
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert "There is no such session." in answers[0].content.decode()
    assert _known(here)


def test_a_new_password_leaves_this_one_in_the_list_and_no_other(user: User) -> None:
    here, phone = _signed_in(LINUX, "192.0.2.7"), _signed_in(PHONE, "192.0.2.8")
    typed = {"old": PASSWORD, "password": "quite another word"}
    assert here.post("/account/password/", typed).status_code == 302
    assert [_known(it) for it in (here, phone)] == [True, False]
    visit = Visit.objects.get(user=user)
    assert (visit.device, visit.address) == ("Firefox on Linux", "192.0.2.7")


def test_when_it_was_seen_is_noted_once_a_minute(user: User) -> None:
    here = _signed_in(LINUX, "192.0.2.7")
    began = Visit.objects.get().began_at
    long_ago = timezone.now() - timedelta(hours=1)
    Visit.objects.update(seen_at=long_ago)
    _known(here)
    seen = Visit.objects.get().seen_at
    assert seen > long_ago + timedelta(minutes=59)
    _known(here)
    visit = Visit.objects.get()
    assert (visit.seen_at, visit.began_at) == (seen, began)


def test_one_that_ran_out_is_not_shown_and_is_swept(user: User) -> None:
    from kvmweb.accounts.tasks import forget

    here = _signed_in(LINUX, "192.0.2.7")
    _signed_in(PHONE, "192.0.2.8")
    old = Visit.objects.filter(device="Safari on iPhone")
    old.update(expire_date=timezone.now() - timedelta(seconds=1))
    assert "iPhone" not in here.get("/account/sessions/").content.decode()
    forget()
    assert Visit.objects.count() == 1


def test_who_manages_people_sees_and_ends_those_of_others(
    user: User, as_admin: Client
) -> None:
    uwe, phone = _signed_in(LINUX, "192.0.2.7"), _signed_in(PHONE, "192.0.2.8")
    page = f"/users/{user.pk}/edit/"
    text = as_admin.get(page).content.decode()
    assert "Safari on iPhone" in text
    assert "192.0.2.8" in text
    handle = Visit.objects.get(device="Safari on iPhone").handle
    assert as_admin.post(f"/account/sessions/{handle}/end/")["Location"] == page
    assert [_known(it) for it in (uwe, phone)] == [True, False]
    assert as_admin.post(f"/users/{user.pk}/sessions/end/")["Location"] == page
    assert not _known(uwe)
    assert _known(as_admin)
    ends = AuditEntry.objects.filter(action__startswith="session.end")
    assert {(it.actor, it.details["username"]) for it in ends} == {("anna", "uwe")}


def test_they_are_listed_and_ended_by_the_api(
    user: User, operator: User, as_admin: Client
) -> None:
    uwe, phone = _signed_in(LINUX, "192.0.2.7"), _signed_in(PHONE, "192.0.2.8")
    olga = _signed_in(LINUX, "192.0.2.9", "olga")
    listed = uwe.get("/api/v1/sessions/").json()["items"]
    assert {it["address"] for it in listed} == {"192.0.2.7", "192.0.2.8"}
    assert set(listed[0]) == {
        *("id", "device", "address", "began_at", "seen_at", "expires_at")
    }
    one = next(it["id"] for it in listed if it["address"] == "192.0.2.8")
    assert olga.delete(f"/api/v1/sessions/{one}/").status_code == 404
    assert uwe.delete(f"/api/v1/sessions/{one}/").status_code == 204
    assert [_known(it) for it in (uwe, phone)] == [True, False]
    theirs = f"/api/v1/users/{user.pk}/sessions/"
    assert olga.get(theirs).status_code == 403
    assert as_admin.get(theirs).json()["count"] == 1
    assert as_admin.delete(theirs).status_code == 204
    assert [_known(it) for it in (uwe, olga)] == [False, True]
