"""Signing in by an OpenID provider: a real one, beside us, that insists on PKCE."""

import time
from urllib.parse import parse_qs, urlsplit

import pyotp
from django.test import Client

from kvmweb.accounts.models import AuditEntry, Member, Project, User
from kvmweb.accounts.outside.models import ExternalIdentity
from kvmweb.accounts.second import codes
from tests.conftest import PASSWORD
from tests.kvmweb.accounts.conftest import arrive, name_of
from tests.outside.openid import BACK, Provider


def test_somebody_new_is_let_in_as_a_plain_user_and_is_the_same_next_time(
    provider: Provider,
) -> None:
    assert "Sign in with single sign-on" in Client().get("/login/").content.decode()
    client, answer = arrive(provider, next="/account/")
    assert (answer.status_code, answer["Location"]) == (302, "/account/")
    assert name_of(client) == "nina"
    again, _ = arrive(provider)
    assert name_of(again) == "nina"
    user = User.objects.get()
    assert (user.role, user.email) == ("user", "nina@example.org")
    assert not user.has_usable_password()
    identity = ExternalIdentity.objects.get()
    assert (identity.provider, identity.subject) == (provider.issuer, "s-1")
    how = AuditEntry.objects.filter(action="sign-in", outcome="succeeded")
    assert [entry.details for entry in how] == [{"how": "oidc"}] * 2


def test_the_question_is_asked_with_pkce_state_and_nonce(provider: Provider) -> None:
    client = Client()
    gone = client.get("/login/oidc/")
    asked = parse_qs(urlsplit(gone["Location"]).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"] == [f"http://testserver{BACK}"]
    assert min(len(asked[it][0]) for it in ("state", "nonce", "code_challenge")) > 30
    cookie = client.cookies["kvmweb_journey"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
    for name in ("state", "nonce"):
        assert asked[name][0] not in cookie.value


def test_groups_give_roles_and_projects_and_take_them_back(provider: Provider) -> None:
    project = Project.objects.create(name="web")
    provider.know(
        "s-2", preferred_username="olaf", groups=["vm-admins", "web-team", "else"]
    )
    arrive(provider, "s-2")
    user = User.objects.get(username="olaf")
    assert user.role == "admin"
    assert Member.objects.get(user=user, project=project).role == "operator"
    User.objects.make("root", PASSWORD, "admin")  # olaf is not the last one
    provider.know("s-2", preferred_username="olaf", groups=[])
    arrive(provider, "s-2")
    user.refresh_from_db()
    assert user.role == "user"
    assert not Member.objects.exists()


def test_what_was_given_by_hand_stays(provider: Provider) -> None:
    project = Project.objects.create(name="web")
    provider.know("s-3", preferred_username="otto", groups=["web-team"])
    arrive(provider, "s-3")
    user = User.objects.get(username="otto")
    User.objects.filter(pk=user.pk).update(role="operator")
    Member.objects.update(role="owner", by_hand=True)
    provider.know("s-3", preferred_username="otto", groups=[])
    for _ in range(2):
        arrive(provider, "s-3")
    user.refresh_from_db()
    assert user.role == "operator"
    assert Member.objects.get(user=user, project=project).role == "owner"


def test_a_group_never_takes_the_last_administrator_away(provider: Provider) -> None:
    provider.know("s-4", preferred_username="ada", groups=["vm-admins"])
    arrive(provider, "s-4")
    provider.know("s-4", preferred_username="ada", groups=[])
    arrive(provider, "s-4")
    assert User.objects.get(username="ada").role == "admin"


def test_nobody_becomes_another_by_name_or_mail_address(
    provider: Provider, admin: User
) -> None:
    admin.email = "anna@example.org"
    admin.save()
    provider.know("s-5", preferred_username="anna", email="anna@example.org")
    client, answer = arrive(provider, "s-5")
    assert answer.status_code == 409
    assert "belongs to another account here" in answer.content.decode()
    assert name_of(client) == ""
    provider.know("s-6", preferred_username="mallory", email="anna@example.org")
    client, _ = arrive(provider, "s-6")
    assert name_of(client) == "mallory"


def test_somebody_links_their_account_here_after_showing_their_password(
    provider: Provider, user: User
) -> None:
    client = Client()
    client.force_login(user)
    asked = client.get("/account/outside/link/")
    assert asked["Location"].startswith("/account/confirm/")
    client.post("/account/confirm/", {"password": PASSWORD})
    gone = client.get("/account/outside/link/")
    back = client.get(provider.sign_in(gone["Location"], "s-1"))
    assert back["Location"] == "/account/outside/"
    assert "Nina" in client.get("/account/outside/").content.decode()
    other, _ = arrive(provider)
    assert name_of(other) == "uwe"
    identity = ExternalIdentity.objects.get()
    address = f"/account/outside/{identity.pk}/unlink/"
    assert client.post(address).status_code == 302
    stranger, _ = arrive(provider)
    assert name_of(stranger) == "nina"


def test_the_disabled_stay_out(provider: Provider) -> None:
    arrive(provider)
    User.objects.update(is_active=False)
    client, answer = arrive(provider)
    assert answer.status_code == 403
    assert name_of(client) == ""


def test_the_second_factor_is_asked_for_unless_the_provider_did(
    provider: Provider,
) -> None:
    arrive(provider)
    offer = codes.offer(User.objects.get())
    code = pyotp.TOTP(offer.secret).now()
    assert codes.accept(User.objects.get(), offer.sealed, code)
    client, answer = arrive(provider)
    assert answer["Location"] == "/login/second/"
    assert name_of(client) == ""
    provider.know("s-1", preferred_username="Nina", amr=["pwd", "mfa"])
    client, answer = arrive(provider)
    assert name_of(client) == "nina"


def test_who_has_no_password_shows_at_the_provider_that_it_is_them(
    provider: Provider,
) -> None:
    client, _ = arrive(provider)
    kept = client.session
    kept["confirmed_at"] = 0
    kept.save()
    page = "/account/second/app/"
    assert client.get(page).status_code == 302
    provider.know("s-1", preferred_username="Nina", auth_time=1000)
    _, stale = arrive(provider, client=client, next=page, again="1")
    assert stale.status_code == 403  # it did not say that it asked
    claims = {"preferred_username": "Nina", "auth_time": int(time.time())}
    provider.know("s-1", **claims)
    provider.know("s-9", **claims)
    _, other = arrive(provider, "s-9", client=client, next=page, again="1")
    assert other.status_code in (403, 409)
    assert client.get(page).status_code == 302
    _, shown = arrive(provider, client=client, next=page, again="1")
    assert shown["Location"] == page
    assert client.get(page).status_code == 200


def test_without_a_provider_there_is_no_such_way(db: None) -> None:
    assert Client().get("/login/oidc/").status_code == 404
    assert "single sign-on" not in Client().get("/login/").content.decode()
