"""Letters: an invitation, a forgotten password; over a real mail server."""

import re
import socket
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from django.test import Client
from django.utils import timezone

from kvmweb.accounts.invitations.models import Letter
from kvmweb.accounts.models import AuditEntry, Member, Project, User
from kvmweb.accounts.tasks import post
from tests.conftest import PASSWORD

NEW = "quite another word"
SAID = "a letter with a link is on its way there"
GONE = "This link is not valid: it was used, or is too old."


class Postbox:
    """What a mail server took."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.full = False

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        if self.full:
            return "452 The disk is full"
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 taken"

    def link(self, number: int = -1) -> str:
        """The one link of a letter, as text and HTML have it."""
        found = set()
        for kind in ("plain", "html"):
            body = self.mails[number].get_body((kind,))
            assert body is not None
            found |= set(
                re.findall(r"http://[^\s\"]+/login/[^\s\"]+", body.get_content())
            )
        (link,) = found
        return str(link)

    def path(self, number: int = -1) -> str:
        return "/login/" + self.link(number).partition("/login/")[2]


@pytest.fixture
def postbox(settings: Any) -> Iterator[Postbox]:
    """A mail server, and the product told to use it."""
    box = Postbox()
    port = free_port()
    server = Controller(box, hostname="127.0.0.1", port=port)
    server.start()
    settings.SMTP_URL = f"smtp://127.0.0.1:{port}"
    settings.MAIL_FROM = "panel@example.org"
    settings.PUBLIC_URL = "http://panel.example.org"
    yield box
    server.stop()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture
def uwe(user: User) -> User:
    """Uwe with a mail address."""
    user.email = "uwe@example.org"
    user.save()
    return user


def _invite(client: Client, **more: Any) -> Any:
    typed = {"email": "nina@example.org", "role": "user", "project_role": "operator"}
    return client.post("/users/invite/", typed | more)


def _accept(path: str, **more: str) -> tuple[Client, Any]:
    client = Client()
    typed = {"username": "nina", "name": "Nina", "password": NEW}
    return client, client.post(path, typed | more)


def test_an_invited_person_makes_their_account_and_is_in(
    as_admin: Client, postbox: Postbox
) -> None:
    project = Project.objects.create(name="web")
    assert _invite(as_admin, project=project.pk, role="operator").status_code == 302
    post()
    (mail,) = postbox.mails
    assert (mail["To"], mail["From"]) == (
        "nina@example.org",
        "kvmweb <panel@example.org>",
    )
    assert postbox.link().startswith("http://panel.example.org/login/invitation/")
    page = Client().get(postbox.path())
    assert "anna invites you as nina@example.org" in page.content.decode()
    client, answer = _accept(postbox.path())
    assert answer.status_code == 302
    me = client.get("/api/v1/me/").json()
    assert (me["username"], me["email"], me["role"]) == (
        "nina",
        "nina@example.org",
        "operator",
    )
    assert Member.objects.get(user__username="nina").role == "operator"
    assert AuditEntry.objects.filter(action="invitation.accept", actor="nina").exists()


def test_an_invitation_is_good_once_and_for_seven_days(
    as_admin: Client, postbox: Postbox
) -> None:
    _invite(as_admin)
    post()
    _accept(postbox.path())
    _, again = _accept(postbox.path(), username="nina2")
    assert again.status_code == 404
    assert GONE in again.content.decode()
    _invite(as_admin, email="otto@example.org")
    post()
    assert Client().get(postbox.path()).status_code == 200
    left = Letter.objects.get(email="otto@example.org").expires_at - timezone.now()
    assert timedelta(days=6, hours=23) < left <= timedelta(days=7)
    Letter.objects.update(expires_at=timezone.now())
    assert Client().get(postbox.path()).status_code == 404


def test_a_taken_name_or_a_weak_password_uses_nothing_up(
    as_admin: Client, user: User, postbox: Postbox
) -> None:
    _invite(as_admin)
    post()
    for more in ({"username": "uwe"}, {"password": "password"}, {"username": "N !"}):
        _, refused = _accept(postbox.path(), **more)
        assert refused.status_code == 422
    assert _accept(postbox.path())[1].status_code == 302


def test_a_withdrawn_invitation_and_one_before_another_are_good_no_more(
    as_admin: Client, postbox: Postbox
) -> None:
    paths = []
    for _ in range(2):
        _invite(as_admin)
        post()
        paths.append(postbox.path())
    assert [Client().get(path).status_code for path in paths] == [404, 200]
    letter = Letter.objects.get(used_at=None)
    page = as_admin.get("/users/invite/").content.decode()
    assert "nina@example.org" in page
    assert as_admin.post(f"/users/invite/{letter.pk}/withdraw/").status_code == 302
    assert Client().get(paths[1]).status_code == 404


def test_nobody_is_invited_who_is_here_already(
    as_admin: Client, uwe: User, postbox: Postbox
) -> None:
    assert _invite(as_admin, email="UWE@example.org").status_code == 422
    assert not Letter.objects.exists()


@pytest.mark.parametrize(
    "link", ["x", "0" * 32, "0" * 32 + ".AAAA", "..", "é" * 40, "0" * 32 + ".:"]
)
def test_an_invented_link_opens_nothing(db: None, link: str) -> None:
    for page in ("invitation", "new-password"):
        assert Client().get(f"/login/{page}/{link}/").status_code == 404


def test_a_link_for_one_thing_does_not_do_the_other(
    as_admin: Client, postbox: Postbox
) -> None:
    _invite(as_admin)
    post()
    path = postbox.path().replace("/invitation/", "/new-password/")
    assert Client().get(path).status_code == 404


def test_without_a_mail_server_the_link_is_handed_over(as_admin: Client) -> None:
    shown = _invite(as_admin)
    assert shown.status_code == 200
    text = shown.content.decode()
    found = re.search(r'value="http://[^/]+(/login/invitation/[^"]+)"', text)
    assert found
    assert _accept(found[1])[1].status_code == 302
    assert "sends no mail" in Client().get("/login/forgotten/").content.decode()


def test_asking_for_a_new_password_says_the_same_of_known_and_unknown(
    uwe: User, disabled: User, postbox: Postbox, django_assert_num_queries: Any
) -> None:
    asked = []
    for email in ("uwe@example.org", "nobody@example.org"):
        answer = Client().post("/login/forgotten/", {"email": email})
        asked.append(answer.content.decode().replace(email, "ADDRESS"))
    assert SAID in asked[0]
    assert len({re.sub(r'value="[^"]*"', "", text) for text in asked}) == 1
    assert Letter.objects.count() == 2
    post()
    assert [mail["To"] for mail in postbox.mails] == ["uwe@example.org"]


def test_a_new_password_by_letter_ends_sessions_and_every_other_link(
    uwe: User, as_user: Client, postbox: Postbox
) -> None:
    for _ in range(2):
        Client().post("/login/forgotten/", {"email": "Uwe@Example.org"})
    post()
    assert len(postbox.mails) == 2
    client, path, other = Client(), postbox.path(), postbox.path(0)
    assert client.get(other).status_code == 200
    assert client.post(path, {"password": "short"}).status_code == 422
    answer = client.post(path, {"password": NEW})
    assert (answer.status_code, answer["Location"]) == (302, "/login/")
    assert as_user.get("/api/v1/me/").status_code == 401
    assert client.post(path, {"password": NEW}).status_code == 404
    assert client.get(other).status_code == 404
    typed = {"username": "uwe", "password": NEW}
    assert client.post("/login/", typed)["Location"] == "/machines/"


def test_a_link_ends_with_the_hour_and_with_the_old_password(
    uwe: User, as_user: Client, postbox: Postbox
) -> None:
    paths = []
    for _ in range(2):
        Client().post("/login/forgotten/", {"email": "uwe@example.org"})
        post()
        paths.append(postbox.path())
    assert [Client().get(path).status_code for path in paths] == [200, 200]
    left = Letter.objects.all()[0].expires_at - timezone.now()
    assert timedelta(minutes=59) < left <= timedelta(hours=1)
    Letter.objects.filter(pk=Letter.objects.all()[0].pk).update(
        expires_at=timezone.now()
    )
    typed = {"old": PASSWORD, "password": NEW}
    assert as_user.post("/account/password/", typed).status_code == 302
    assert [Client().get(path).status_code for path in paths] == [404, 404]


def test_the_disabled_and_those_without_a_password_get_no_letter(
    db: None, postbox: Postbox
) -> None:
    for name, active, password in (("dora", False, PASSWORD), ("lina", True, None)):
        person = User.objects.make(name, password)
        person.email, person.is_active = f"{name}@example.org", active
        person.save()
        answer = Client().post("/login/forgotten/", {"email": person.email})
        assert SAID in answer.content.decode()
    post()
    assert postbox.mails == []


@pytest.mark.usefixtures("no_time_passes")
def test_nobody_is_flooded_with_letters(uwe: User, postbox: Postbox) -> None:
    def ask(number: int, email: str = "uwe@example.org") -> Any:
        address = f"192.0.2.{number}"
        return Client(REMOTE_ADDR=address).post("/login/forgotten/", {"email": email})

    answers = [ask(number) for number in range(6)]
    assert all(SAID in answer.content.decode() for answer in answers)
    post()
    assert len(postbox.mails) == 3
    statuses = [ask(99, f"n{number}@example.org").status_code for number in range(21)]
    assert statuses == [200] * 20 + [429]


def test_a_letter_that_the_server_did_not_take_is_sent_later(
    as_admin: Client, postbox: Postbox
) -> None:
    _invite(as_admin)
    postbox.full = True
    post()
    post()  # not yet: it waits a while
    letter = Letter.objects.get()
    assert (letter.tries, letter.sent_at) == (1, None)
    assert "not sent" in as_admin.get("/users/invite/").content.decode()
    postbox.full = False
    Letter.objects.update(due_at=timezone.now())
    post()
    post()
    assert len(postbox.mails) == 1


def test_the_second_factor_is_asked_for_after_a_new_password_too(
    uwe: User, postbox: Postbox, settings: Any
) -> None:
    settings.SECOND_FACTOR = "all"
    Client().post("/login/forgotten/", {"email": "uwe@example.org"})
    post()
    client = Client()
    client.post(postbox.path(), {"password": NEW})
    answer = client.post("/login/", {"username": "uwe", "password": NEW})
    assert answer["Location"] == "/login/second/"
