"""The bell of an open page: a notice reaches whose it is, and nobody else."""

from collections.abc import Callable

from django.test import Client

from kvmweb.accounts.models import User
from portal.telling.models import Notice
from portal.telling.services import tell
from tests.kvmweb.live.conftest import Ears, listen, server

__all__ = ["listen", "server"]  # fixtures


def test_a_notice_comes_at_once_to_its_person_alone(
    listen: Callable[..., Ears],
    user: User,
    operator: User,
    as_user: Client,
    as_admin: Client,
) -> None:
    mine, others = listen(as_user), listen(as_admin)
    for ears in (mine, others):
        ears.subscribe("notices")
    tell("request.ready", [operator], title="theirs")
    tell("request.ready", [user], title="web-1 is ready", text="It runs.")
    heard = mine.next("state")
    assert heard["topic"] == "notices"
    assert heard["data"]["notice"]["title"] == "web-1 is ready"
    assert "user" not in heard["data"]
    as_user.post(f"/notices/{Notice.objects.get(user=user).pk}/")
    assert mine.next("state")["data"] == {"notice": None}  # read: the count is another
    others.say(subscribe=["notices:1"])
    assert others.next("state", "error")["type"] == "error"


def test_a_token_for_one_project_hears_none(
    listen: Callable[..., Ears],
    user: User,
    token_of: Callable[..., str],
) -> None:
    from kvmweb.accounts.models import Member, Project

    project = Project.objects.create(name="web")
    Member.objects.create(project=project, user=user)
    ears = listen(token=token_of(user, project=project))
    ears.say(subscribe=["notices"])
    assert ears.next("subscribed", "error")["type"] == "error"
