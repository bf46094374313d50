"""Fifty people ask at once for what ten can have: ten have it, nobody is forgotten."""

import threading
from collections import Counter
from typing import Any

import pytest
from django.db import connection, transaction

from kvmweb.accounts.models import Member, Project, User
from portal.flavors.models import Flavor
from portal.ledger.models import Charge, Quota
from portal.requests.models import Request
from tests.portal.requests.conftest import GIB, Api

MANY, ROOM = 50, 10


@pytest.fixture
def people(transactional_db: None, redis_server: str) -> list[Api]:
    """Fifty browsers of somebody whose project may have ten machines."""
    with transaction.atomic():
        project = Project.objects.create(name="web")
        Quota.objects.create(project=project, guests=ROOM)
        Flavor.objects.create(name="small", vcpus=1, memory_bytes=GIB, disk_bytes=GIB)
        user = User.objects.make("mia", None, "user")
        Member.objects.create(project=project, user=user, role="operator")
        return [Api(user) for _ in range(MANY)]


def test_a_quota_of_ten_is_given_out_ten_times(people: list[Api]) -> None:
    answers = asked_at_once(people)
    found = Counter(answer.status_code for answer in answers)
    assert found == {201: ROOM, 409: MANY - ROOM}, [it.content for it in answers]
    refused = next(it for it in answers if it.status_code == 409)
    assert "10 of 10 taken, 0 left" in refused.json()["detail"]
    asked = {f"request:{pk}" for pk in Request.objects.values_list("pk", flat=True)}
    assert len(asked) == ROOM
    assert set(Charge.objects.values_list("subject", flat=True)) == asked


def asked_at_once(people: list[Api]) -> list[Any]:
    """What each was answered."""
    answers: list[Any] = []
    gate = threading.Barrier(len(people))

    def ask(number: int) -> None:
        gate.wait(30)
        try:
            answers.append(people[number].ask(name=f"m{number}"))
        finally:
            connection.close()

    threads = [threading.Thread(target=ask, args=[n]) for n in range(len(people))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return answers
