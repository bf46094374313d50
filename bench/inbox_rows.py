"""Fills a product's database with requests that wait, each asked for as people ask."""

import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kvmweb.settings")
django.setup()

from django.db import transaction

from kvmweb.accounts.models import Member, Project, User
from kvmweb.accounts.services import Asker
from portal.flavors.models import Flavor
from portal.ledger import services as ledger
from portal.requests import services
from portal.requests.asking import Wish

GIB = 1024**3


@transaction.atomic
def main(projects: int, requests: int) -> None:
    """So many projects with a quota and somebody in them, and so many requests."""
    Flavor.objects.create(name="small", vcpus=1, memory_bytes=GIB, disk_bytes=GIB)
    people = [User.objects.make(f"person{n}", None, "user") for n in range(projects)]
    places = []
    for number, person in enumerate(people):
        project = Project.objects.create(name=f"project-{number}")
        Member.objects.create(project=project, user=person, role="operator")
        ledger.set_quota(project, {"guests": 50, "memory_bytes": 64 * GIB})
        places.append(project)
    for number in range(requests):
        at = number % projects
        wish = Wish(name=f"machine-{number}", flavor="small", lease_days=30)
        services.ask(wish, places[at], by=Asker(people[at]))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
